"""Asks the jobs of a mixture: which kind comes as which number, with drawn outputs or with recorded ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from anabranch.dag.simulation.cluster import Ask, Asked
from anabranch.dag.simulation.description import Kind, Scenario
from anabranch.dag.simulation.draws import choose, uniform
from anabranch.dag.simulation.models.parts import Part, spec_of, width_parameter
from anabranch.dag.simulation.models.recorded import Journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Jobs of one kind in the mixture, that were run before: one of them is asked again each time."""

    name: str
    journals: tuple[Journal, ...]
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One scenario of a sweep, by what it differs in."""

    label: str
    scenario: Scenario
    recorded: tuple[Recorded, ...] = ()

    def ask(self) -> Ask:
        """The jobs, by number. The same number is the same question in every point of a sweep."""
        return Workload(self.scenario, self.recorded)


@dataclass(frozen=True, slots=True)
class Workload:
    """See `Point.ask`."""

    scenario: Scenario
    recorded: tuple[Recorded, ...] = ()
    _given: dict[str, int] = field(default_factory=dict)

    def __call__(self, number: int) -> Asked:
        kinds: Sequence[Kind | Recorded] = (*self.scenario.kinds, *self.recorded)
        seed = self.scenario.seed
        kind = kinds[choose([each.weight for each in kinds], uniform(seed, "kind", number))]
        if isinstance(kind, Kind):
            return Asked(kind=kind.name, spec=spec_of(kind, seed, number), write=Part(kind, seed, number))
        place = self._given.get(kind.name, 0)
        self._given[kind.name] = place + 1
        journal = kind.journals[place % len(kind.journals)]
        return Asked(
            kind=kind.name,
            spec=journal.spec,
            write=journal.model(),
            tool=journal.tool,
            limits=replace(journal.limits, width=self.scenario.width, slowdown=self.scenario.slowdown),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What is tried in turn; all combinations of it. Empty: as the scenario has it."""

    replicas: tuple[int, ...] = ()
    width: tuple[int, ...] = ()
    policy: tuple[str, ...] = ()

    def points(self, scenario: Scenario, recorded: tuple[Recorded, ...] = ()) -> tuple[Point, ...]:
        """One scenario for each combination."""
        tried = product(self.policy or (None,), self.width or (None,), self.replicas or (None,))
        return tuple(_point(scenario, recorded, *chosen) for chosen in tried)


def _point(
    scenario: Scenario,
    recorded: tuple[Recorded, ...],
    policy: str | None,
    width: int | None,
    replicas: int | None,
) -> Point:
    names: list[str] = []
    if policy is not None:
        first = scenario.kinds[0]
        params = first.params if first.policy == policy else {}
        scenario = replace(
            scenario, kinds=(replace(first, name=policy, policy=policy, params=params, weight=1.0),)
        )
        recorded = ()
        names.append(policy)
    if width is not None:
        scenario = replace(scenario, kinds=tuple(widened(kind, width) for kind in scenario.kinds))
        names.append(f"width {width}")
    if replicas is not None:
        scenario = replace(scenario, cluster=replace(scenario.cluster, replicas=replicas))
        names.append(f"{replicas} replicas" if replicas != 1 else "1 replica")
    return Point(label=", ".join(names) or "as described", scenario=scenario, recorded=recorded)


def widened(kind: Kind, width: int) -> Kind:
    """The kind with its policy so wide: by the parameter that its efforts set, or by what its model asks for."""
    parameter = width_parameter(kind.policy)
    params: Mapping[str, object] = kind.params if parameter is None else {**kind.params, parameter: width}
    return replace(kind, params=params, forks=width)
