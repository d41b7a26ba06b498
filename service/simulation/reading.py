"""Reads the description of a simulation from YAML. All that is wrong with it is told at once, each with its place."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from anabranch.dag.simulation.description import Kind, Scenario
from anabranch.dag.simulation.models.parts import width_parameter
from anabranch.dag.simulation.workload import Sweep, widened
from anabranch.service.bounded_yaml import BadYaml, read_yaml
from anabranch.service.simulation.fields import DescriptionFields, JobsFields, check_policy, tell_faults

MAX_BYTES = 1_000_000


class BadDescription(ValueError):
    """A description that cannot be simulated. The message is one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedJobs:
    """Jobs of the store that are part of the mixture."""

    name: str
    ids: tuple[str, ...]
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a file says."""

    scenario: Scenario
    recorded: tuple[RecordedJobs, ...]
    sweep: Sweep


def read_file(path: Path) -> Description:
    """Raises BadDescription."""
    try:
        with path.open("rb") as file:
            written = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadDescription(f"{path} cannot be read: {error.strerror}") from error
    if len(written) > MAX_BYTES:
        raise BadDescription(f"{path} has more than {MAX_BYTES:,} bytes")
    try:
        return read_description(written)
    except BadDescription as error:
        raise BadDescription(f"{path}: {error}") from error


def read_description(written: bytes) -> Description:
    """Raises BadDescription."""
    try:
        said = read_yaml(written)
    except BadYaml as error:
        raise BadDescription(str(error)) from error
    if not isinstance(said, dict):
        raise BadDescription("it must be a mapping with cluster, arrivals and jobs")
    try:
        described = DescriptionFields.model_validate_json(json.dumps(said))
    except ValidationError as error:
        raise BadDescription("; ".join(tell_faults(error))) from error
    kinds = tuple(
        each.kind(name)
        for name, each in zip(_names(described.jobs), described.jobs, strict=True)
        if each.recorded is None
    )
    scenario = Scenario(
        cluster=described.cluster.cluster(),
        arrivals=described.arrivals.arrivals(),
        kinds=kinds,
        seed=described.seed,
        width=described.width,
        slowdown=described.slowdown or 0.0,
        within=described.goal_seconds,
    )
    recorded = tuple(
        RecordedJobs(name=name, ids=each.recorded, weight=each.weight)
        for name, each in zip(_names(described.jobs), described.jobs, strict=True)
        if each.recorded is not None
    )
    sweep = Sweep(**described.sweep.model_dump())
    if faults := sweep_faults(sweep, kinds):
        raise BadDescription("; ".join(faults))
    return Description(scenario=scenario, recorded=recorded, sweep=sweep)


def sweep_faults(sweep: Sweep, kinds: Sequence[Kind]) -> list[str]:
    """What cannot be tried."""
    faults = [
        f"sweep.replicas.{place}: {number} is below 1"
        for place, number in enumerate(sweep.replicas)
        if number < 1
    ]
    if (sweep.policy or sweep.width) and not kinds:
        return [
            *faults,
            "sweep: recorded jobs have the policy and the width that they had; only replicas can be tried",
        ]
    for place, policy in enumerate(sweep.policy):
        try:
            check_policy(policy, {})
        except ValueError as error:
            faults.append(f"sweep.policy.{place}: {error}")
    if faults:
        return faults
    tried = sweep.policy or tuple(kind.policy for kind in kinds)
    for place, width in enumerate(sweep.width):
        for policy in dict.fromkeys(tried):
            given = next((kind for kind in kinds if kind.policy == policy), None)
            wide = widened(given or Kind(name=policy, policy=policy), width)
            try:
                check_policy(policy, wide.params)
            except ValueError as error:
                parameter = width_parameter(policy)
                faults.append(f"sweep.width.{place}: {policy} has its width by {parameter}: {error}")
    return faults


def _names(jobs: Sequence[JobsFields]) -> list[str]:
    """Each kind's name: its own, or its policy's; a number tells equal ones apart."""
    names: list[str] = []
    for each in jobs:
        wanted = each.name or each.policy or "recorded"
        number = sum(name == wanted or name.startswith(f"{wanted} (") for name in names)
        names.append(f"{wanted} ({number + 1})" if number else wanted)
    return names
