"""The catalogue of policies. A policy is one function in one file of `dag/policies/`, marked with `@policy`."""

import ast
import hashlib
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from anabranch.dag.actions import Policy
from anabranch.dag.errors import UnknownPolicy, UnknownPreset
from anabranch.dag.job import Problem
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
    version: str
    """Digest of the sources of `machinery`: changes whenever the policy's code does."""

    presets: Mapping[str, Preset] = field(default_factory=dict)

    def start(self, problem: Problem, params: Mapping[str, Any]) -> Policy:
        """Raises UnknownPreset."""
        return self.function(problem, **self.expand(params))

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


_DAG = "anabranch.dag"
_VOCABULARY = {f"{_DAG}.{name}" for name in ("actions", "decoding", "errors", "ids", "job", "policy", "text")}
_CATALOGUE: dict[str, PolicyInfo] = {}


def policy(
    *, title: str, paper: str, use_when: str, presets: Mapping[str, Preset] | None = None
) -> Callable[[PolicyFunction], PolicyFunction]:
    """Enter a policy function in the catalogue under its own name, with dashes."""

    def enter(function: PolicyFunction) -> PolicyFunction:
        name = function.__name__.replace("_", "-")
        sources = "".join(map(_source_of, machinery(function.__module__)))
        version = hashlib.sha256(sources.encode()).hexdigest()[:16]
        _CATALOGUE[name] = PolicyInfo(
            name=name,
            title=title,
            paper=paper,
            use_when=use_when,
            function=function,
            version=version,
            presets=presets or {},
        )
        return function

    return enter


def machinery(module: str) -> tuple[str, ...]:
    """The modules that make a policy what it is: its own, and those of `dag` that it imports, directly or through one
    another, the common vocabulary apart. What only its grammars' names tell is noticed by replay."""
    found, new = set[str](), {module}
    while new:
        found |= new
        sources = (ast.parse(_source_of(name)) for name in new)
        nodes = (node for source in sources for node in ast.walk(source))
        named = {name for node in nodes if isinstance(node, ast.ImportFrom) for name in _modules_named(node)}
        new = {name for name in named if name.startswith(f"{_DAG}.")} - _VOCABULARY - found
    return tuple(sorted(found))


def _modules_named(node: ast.ImportFrom) -> set[str]:
    """`from anabranch.dag import blocks` names a module as much as `from anabranch.dag.blocks import Form`."""
    if node.module == _DAG:
        return {f"{_DAG}.{alias.name}" for alias in node.names}
    return {node.module or ""}


def _source_of(module: str) -> str:
    return inspect.getsource(importlib.import_module(module))


@cache
def _import_all() -> None:
    package = importlib.import_module("anabranch.dag.policies")
    for module in pkgutil.iter_modules(package.__path__):
        if module.ispkg:
            continue  # parts of policies
        importlib.import_module(f"{package.__name__}.{module.name}")


def catalogue() -> Mapping[str, PolicyInfo]:
    """All policies by name."""
    _import_all()
    return _CATALOGUE


def policy_named(name: str) -> PolicyInfo:
    """Raises UnknownPolicy, naming those that exist."""
    found = catalogue().get(name)
    if found is None:
        raise UnknownPolicy(f"there is no policy {name!r}; there are: {', '.join(sorted(catalogue()))}")
    return found
