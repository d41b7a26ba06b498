"""Digests what a policy's code does into its version.

Words do not count: docstrings, comments, formatting and annotations; nor does it matter in which module, or in which
order, functions stand. So an edit of words, or a moved file, changes no version.

A version is information, on jobs and traces. It decides nothing: whether a job can go on under other code is found by
replay (`journal/replay.py`), which sees what the code does.
"""

import ast
import hashlib
import importlib
import importlib.util
import inspect
from collections.abc import Iterable, Iterator
from functools import cache

_DAG = "anabranch.dag"
_VOCABULARY = {f"{_DAG}.{name}" for name in ("actions", "decoding", "errors", "ids", "job", "policy", "text")}
_FIELDS_OF_WORDS = {"annotation", "returns", "type_comment", "type_params", "type_ignores", "kind"}


@cache
def version_of(module: str) -> str:
    """16 hex digits for the policies that a module defines."""
    return digest_of(map(_source_of, machinery(module)))


def digest_of(sources: Iterable[str]) -> str:
    """16 hex digits; equal for sources whose top-level statements are equal, words apart."""
    statements = set[str]().union(*map(_statements, sources))
    return hashlib.sha256("\n".join(sorted(statements)).encode()).hexdigest()[:16]


@cache
def _statements(source: str) -> frozenset[str]:
    return frozenset(map(_describe, _without_words(ast.parse(source).body)))


def machinery(module: str) -> tuple[str, ...]:
    """The modules that make a policy what it is: its own, and those of `dag` and of its own package that it imports,
    directly or through one another, the common vocabulary apart. What only its grammars' names tell is noticed by
    replay."""
    roots = (f"{_DAG}.", f"{module.partition('.')[0]}.")
    found, new = set[str](), {module}
    while new:
        found |= new
        named = {name for each in new for name in _modules_named(each) if f"{name}.".startswith(roots)}
        new = named - _VOCABULARY - found
    return tuple(sorted(found))


@cache
def _modules_named(module: str) -> frozenset[str]:
    """`from package import name` names the package, and the module `package.name` where there is one."""
    package = module if _is_package(module) else module.rpartition(".")[0]
    found = set[str]()
    for node in ast.walk(ast.parse(_source_of(module))):
        match node:
            case ast.ImportFrom(module=named, names=names, level=level):
                base = importlib.util.resolve_name("." * level + (named or ""), package or None)
                found |= {
                    base,
                    *(f"{base}.{alias.name}" for alias in names if _is_module(f"{base}.{alias.name}")),
                }
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case _:
                pass
    return frozenset(found - {_DAG})


@cache
def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # what stands before the last dot is no package
        return False


def _is_package(name: str) -> bool:
    return hasattr(importlib.import_module(name), "__path__")


@cache
def _source_of(module: str) -> str:
    return inspect.getsource(importlib.import_module(module))


def _describe(value: object) -> str:
    """The part of a syntax tree that says what is done. `ast.dump` differs between Python's versions; this does not."""
    match value:
        case ast.AST():
            fields = ((name, of) for name, of in ast.iter_fields(value) if name not in _FIELDS_OF_WORDS)
            told = (f"{name}={_describe(of)}" for name, of in fields if of is not None and of != [])
            return f"{type(value).__name__}({', '.join(told)})"
        case list():
            return f"[{', '.join(map(_describe, _without_words(value)))}]"
        case _:
            return repr(value)


def _without_words(nodes: Iterable[object]) -> Iterator[object]:
    """Leaves out bare strings, imports (what they bring in is described where it is defined), and what a policy and its
    presets say about themselves."""
    for node in nodes:
        match node:
            case ast.Expr(value=ast.Constant(value=str())) | ast.Import() | ast.ImportFrom():
                pass
            case ast.keyword(arg="title" | "paper" | "use_when" | "about"):
                pass
            case _:
                yield node
