"""Catalogues the policies.

Ours are one file each in `dag/policies/`. An installed package adds its own by an entry point of the group
`anabranch.policies` that names a module; every process that asks for the catalogue finds the same ones. A package that
cannot be loaded takes no other down, and is told about (`broken_plug_ins`).
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.metadata import entry_points
from inspect import signature
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from anabranch.dag.actions import Policy
from anabranch.dag.errors import PolicyBroken, UnknownPolicy, UnknownPreset
from anabranch.dag.job import Problem
from anabranch.dag.policy_version import version_of
from anabranch.dag.text import say

PolicyFunction = Callable[..., Policy]


@dataclass(frozen=True, slots=True)
class Param:
    """Says what a policy's parameter is for and which values it may take; stands in its `Annotated` type."""

    doc: str
    ge: float | None = None
    le: float | None = None
    choices: tuple[str, ...] = ()
    check: Callable[[Any], object] | None = None
    """Raises DagError for a value of the right type that makes no sense; asked before a job is taken."""
    schema: Mapping[str, Any] | None = None
    """JSON Schema, where it tells more than the type does."""
    names_model: bool = False
    """It names a model of this service, or is None: a name that no pool has is refused before a job is taken."""
    trained: Any = None
    """Its value for a model that was trained for the policy's protocol; with others it helps models that were not."""


JudgeModel = Annotated[str | None, Param("model of those who judge; none: the job's", names_model=True)]
PlannerModel = Annotated[str | None, Param("model of those who plan; none: the job's", names_model=True)]
WorkerModel = Annotated[
    str | None, Param("model of those who do the parts; none: the job's", names_model=True)
]
"""Types of the parameters `judge_model`, `planner_model` and `worker_model`, the same in all policies with such."""


@dataclass(frozen=True, slots=True)
class Preset:
    """Parameters of a policy under a name: a published example that can be asked for, and changed in part."""

    about: str
    params: Mapping[str, Any]


PRESET = "preset"
"""The parameter that names one, in each policy that has any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyInfo:
    """A catalogued policy. Its parameters are the keyword-only arguments of `function`, and `preset` if it has any."""

    name: str
    title: str
    paper: str
    use_when: str
    function: PolicyFunction
    presets: Mapping[str, Preset] = field(default_factory=dict)
    marks_answer: bool = False
    """It marks the decodes whose text is its answer, or a candidate for it (`Purpose`): the job's answer format can
    hold for them."""
    raw_thoughts: bool = False
    """It can read all that is decoded, thoughts included, because its trained protocol has its tags in them (see
    `reads_thoughts`); all other policies read the text behind the thoughts."""
    may_call: bool = False
    """What these decodes call of the tools that a job's owner offers, it passes on in its answer."""

    efforts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """How wide it thinks by the words of OpenAI's `reasoning_effort` (none, minimal, low, high): parameters, where
    others than its defaults, which are medium."""

    @property
    def version(self) -> str:
        """Digest of what its code does (`policy_version.py`), computed when it is first asked for. Information for
        people: it decides nothing."""
        return version_of(self.function.__module__)

    def start(self, problem: Problem, params: Mapping[str, Any]) -> Policy:
        """Raises UnknownPreset."""
        return self.function(problem, **self.expand(params))

    def reads_thoughts(self, params: Mapping[str, Any]) -> bool:
        """Whether it reads thoughts with these parameters: where one of them helps a model that was not trained for its
        tags, such a model thinks as it always does, and its tags stand behind the thought."""
        given = self.expand(params)
        return self.raw_thoughts and all(
            given.get(name, parameter.default) == param.trained
            for name, parameter in signature(self.function, eval_str=True).parameters.items()
            for param in _params(parameter.annotation)
            if param.trained is not None
        )

    def models_in(self, params: Mapping[str, Any]) -> dict[str, str]:
        """The models that these parameters name, by parameter. Raises UnknownPreset."""
        given, hints = self.expand(params), get_type_hints(self.function, include_extras=True)
        return {name: given[name] for name, hint in hints.items() if given.get(name) and _names_model(hint)}

    def expand(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters, and under them those of the preset that they name. Raises UnknownPreset."""
        given = dict(params)
        name = given.pop(PRESET, None)
        if name is None:
            return given
        if name not in self.presets:
            known = ", ".join(self.presets) or "none"
            raise UnknownPreset(f"policy {self.name!r} has no preset {name!r}; it has: {known}")
        return {**self.presets[name].params, **given}

    def check(self, params: Mapping[str, Any]) -> None:
        """Starts the policy, on a question that nobody asked, up to its first action. A policy looks at its parameters
        before it asks for anything; what it raises at bad ones comes out here."""
        started = self.start(Problem.of((say("user", "?"),), 0), params)
        next(started, None)
        started.close()


def _names_model(hint: Any) -> bool:
    return any(param.names_model for param in _params(hint))


def _params(hint: Any) -> Iterator[Param]:
    """What an annotation says of its parameter."""
    if get_origin(hint) is Annotated:
        yield from (each for each in get_args(hint)[1:] if isinstance(each, Param))


GROUP = "anabranch.policies"
"""The entry points by which an installed package adds policies; each names a module that defines some."""

_CATALOGUE: dict[str, PolicyInfo] = {}
_BROKEN: dict[str, str] = {}


def policy(
    *,
    title: str,
    paper: str,
    use_when: str,
    presets: Mapping[str, Preset] | None = None,
    marks_answer: bool = False,
    raw_thoughts: bool = False,
    may_call: bool = False,
    efforts: Mapping[str, Mapping[str, Any]] | None = None,
) -> Callable[[PolicyFunction], PolicyFunction]:
    """Enters a policy function in the catalogue under its own name, with dashes. Raises PolicyBroken where another
    module has that name."""

    def enter(function: PolicyFunction) -> PolicyFunction:
        name = function.__name__.replace("_", "-")
        earlier = _CATALOGUE.get(name)
        if earlier is not None and earlier.function.__module__ != function.__module__:
            raise PolicyBroken(f"the name {name!r} is taken by a policy of {earlier.function.__module__}")
        _CATALOGUE[name] = PolicyInfo(
            name=name,
            title=title,
            paper=paper,
            use_when=use_when,
            function=function,
            presets=presets or {},
            marks_answer=marks_answer,
            raw_thoughts=raw_thoughts,
            may_call=may_call,
            efforts=efforts or {},
        )
        return function

    return enter


@cache
def _import_all() -> None:
    package = importlib.import_module("anabranch.dag.policies")
    for module in pkgutil.iter_modules(package.__path__):
        if module.ispkg:
            continue  # parts of policies
        importlib.import_module(f"{package.__name__}.{module.name}")
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        of = f" of package {entry.dist.name} {entry.dist.version}" if entry.dist is not None else ""
        try:
            _enter_whole(entry.load)
        except PolicyBroken as error:
            _BROKEN[entry.name] = f"policy plug-in {entry.name!r}{of} ({entry.value}) is left out: {error}"


def _enter_whole(load: Callable[[], object]) -> None:
    """Enters all the policies that loading defines, or none. Raises PolicyBroken."""
    before = dict(_CATALOGUE)
    try:
        load()
        for name in _CATALOGUE.keys() - before.keys():
            _ = _CATALOGUE[name].version  # of code without a source there is none
    except (Exception, SystemExit) as error:  # anyone's code
        _CATALOGUE.clear()
        _CATALOGUE.update(before)
        told = str(error) if isinstance(error, PolicyBroken) else f"{type(error).__name__}: {error}"
        raise PolicyBroken(told) from error


def load_module(name: str) -> None:
    """Enters the policies of a module that no package announces. Raises PolicyBroken, and enters none of them then."""
    _import_all()
    try:
        _enter_whole(partial(importlib.import_module, name))
    except PolicyBroken as error:
        raise PolicyBroken(f"policy module {name!r} cannot be loaded: {error}") from error


def broken_plug_ins() -> tuple[str, ...]:
    """One sentence for each installed package whose policies could not be entered; all others are there."""
    _import_all()
    return tuple(_BROKEN.values())


def catalogue() -> Mapping[str, PolicyInfo]:
    """All policies by name."""
    _import_all()
    return _CATALOGUE


def policy_named(name: str) -> PolicyInfo:
    """Raises UnknownPolicy, naming those that exist."""
    found = catalogue().get(name)
    if found is None:
        there = ", ".join(sorted(catalogue()))
        raise UnknownPolicy(
            "; ".join((f"there is no policy {name!r}; there are: {there}", *broken_plug_ins()))
        )
    return found
