"""Made-up events, for properties that must hold of all of them."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from types import UnionType
from typing import Any, Literal, NewType, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from anabranch.dag.events import KINDS, Event

texts = st.text(st.characters(codec=None), max_size=12)  # with NUL and lone surrogates: they do come
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


def events_of(kind: str) -> st.SearchStrategy[Event]:
    """Any event of this kind, whether or not it could happen."""
    return _instances(KINDS[kind])


def _instances(kind: type[Any]) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind)
    return st.builds(kind, **{field.name: _values(hints[field.name]) for field in fields(kind)})


def _values(hint: Any) -> st.SearchStrategy[Any]:
    arguments = get_args(hint)
    if isinstance(hint, NewType):
        return _values(hint.__supertype__)
    if get_origin(hint) in {Union, UnionType}:
        return st.one_of([_values(argument) for argument in arguments])
    if get_origin(hint) is tuple:
        return st.lists(_values(arguments[0]), max_size=3).map(tuple)
    if get_origin(hint) is Mapping:
        return st.dictionaries(_values(arguments[0]), _values(arguments[1]), max_size=3)
    if get_origin(hint) is Literal or (isinstance(hint, type) and issubclass(hint, Enum)):
        return st.sampled_from(arguments or list(hint))
    if isinstance(hint, type) and is_dataclass(hint):
        return _instances(hint)
    plain = {
        Any: json_values,
        str: texts,
        int: st.integers(),
        float: st.floats(allow_nan=False),
        bool: st.booleans(),
    }
    return st.none() if hint is type(None) else plain[hint]
