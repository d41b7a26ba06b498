"""Implements `anabranch simulate`: a described cluster with its jobs in virtual time, and the fit of its step times."""

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from anabranch.client import Client
from anabranch.dag.events import Record
from anabranch.dag.simulation.engines.fitting import CannotFit, Fit, fit
from anabranch.dag.simulation.models.recorded import Journal
from anabranch.dag.simulation.workload import Recorded, Sweep
from anabranch.service.cli.connect import reading
from anabranch.service.cli.output import AsJson, tell, tell_json
from anabranch.service.cli.simulation.table import tell_simulated
from anabranch.service.cli.writing import check_writable
from anabranch.service.policies import load_policies
from anabranch.service.settings import read_settings
from anabranch.service.simulation import plots
from anabranch.service.simulation.reading import BadDescription, Description, read_file, sweep_faults
from anabranch.service.simulation.run import Simulated, recorded_of, simulate
from anabranch.service.wire import record_of


class _RunOrCommand(TyperGroup):
    """Takes `simulate FILE` for `simulate run FILE`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        named = args and (args[0] in self.commands or args[0].startswith("-"))
        return super().resolve_command(ctx, args if named else ["run", *args])


app = typer.Typer(
    cls=_RunOrCommand,
    help="Policies in virtual time on a described cluster: `anabranch simulate FILE`.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def run(
    file: Annotated[Path, typer.Argument(help="YAML: cluster, arrivals, jobs (docs/simulation.md).")],
    replicas: Annotated[str | None, typer.Option(metavar="N,N,…", help="Try each of these.")] = None,
    width: Annotated[str | None, typer.Option(metavar="N,N,…", help="Try policies so wide.")] = None,
    policy: Annotated[str | None, typer.Option(metavar="NAME,NAME,…", help="Try each in turn.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="In place of the file's.")] = None,
    plot: Annotated[list[Path] | None, typer.Option(help="Draw into this .png or .svg.")] = None,
    as_json: AsJson = False,
) -> None:
    """Simulate what a file describes: latencies, goodput, utilisation, queues, cost. The same file and seed give the
    same result, byte for byte."""
    load_policies(read_settings().policy_modules)
    for drawn in plot or ():
        plots.check_plot(drawn)
        check_writable(drawn)
    described = _described(file, replicas, width, policy, seed)
    recorded: tuple[Recorded, ...] = ()
    if described.recorded:
        with reading() as client:
            recorded = recorded_of(described, lambda job: Journal.read(_records(client, job)))
    simulated: list[Simulated] = []
    points = len(described.sweep.points(described.scenario))
    for each in simulate(described, recorded):
        simulated.append(each)
        if points > 1 and sys.stderr.isatty():
            print(f"{len(simulated)} of {points}: {each.point.label}", file=sys.stderr, flush=True)
    for drawn in plot or ():
        plots.draw(simulated, drawn)
    if as_json:
        tell_json({"points": [each.as_json() for each in simulated]})
    else:
        tell_simulated(simulated)


@app.command(name="fit")
def fit_jobs(
    jobs: Annotated[list[str], typer.Argument(metavar="JOBS…", help="Ids of jobs that ran at that time.")],
    as_json: AsJson = False,
) -> None:
    """Fit how long an engine's steps take to the journals of jobs, all that its replicas decoded meanwhile. Tells the
    lines of a cluster's description, and how well they tell what was measured."""
    with reading() as client:
        try:
            fitted = fit([_records(client, job) for job in jobs])
        except CannotFit as error:
            raise BadDescription(f"nothing can be fitted: {error}") from error
    if as_json:
        tell_json({**asdict(fitted), **_parameters(fitted)})
        return
    told = _parameters(fitted)
    tell("cluster:")
    tell(f"  overhead: {told['overhead']}")
    tell("  step:")
    for name, value in told["step"].items():
        tell(f"    {name}: {value}")
    tell(f"# fitted on {fitted.decodes} decodes: R² {fitted.r_squared:.3f}; half of them are told within "
         f"{fitted.median_error:.1%}, nine of ten within {fitted.worst_error:.1%}")  # fmt: skip


def _parameters(fitted: Fit) -> dict[str, Any]:
    """As a description has them, to six digits."""
    one, two = (seconds for _, seconds in fitted.step.points)
    step = {
        "base": max(0.0, 2 * one - two),
        "per_sequence": two - one,
        "per_context_token": fitted.step.per_context_token,
        "per_prefill_token": fitted.step.per_prefill_token,
    }
    return {
        "overhead": float(f"{fitted.overhead:.6g}"),
        "step": {name: float(f"{value:.6g}") for name, value in step.items()},
    }


def _records(client: Client, job: str) -> list[Record]:
    return [record_of(event.as_json()) for event in client.events(job)]


def _described(
    file: Path, replicas: str | None, width: str | None, policy: str | None, seed: int | None
) -> Description:
    described = read_file(file)
    sweep = Sweep(
        replicas=_numbers("--replicas", replicas) or described.sweep.replicas,
        width=_numbers("--width", width) or described.sweep.width,
        policy=tuple(name.strip() for name in policy.split(",")) if policy else described.sweep.policy,
    )
    if faults := sweep_faults(sweep, described.scenario.kinds):
        raise BadDescription("; ".join(faults))
    scenario = described.scenario if seed is None else replace(described.scenario, seed=seed)
    return replace(described, scenario=scenario, sweep=sweep)


def _numbers(option: str, given: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in (given or "").split(",") if number)
    except ValueError:
        raise typer.BadParameter(f"{option} {given}: give numbers, as in 1,2,4") from None
