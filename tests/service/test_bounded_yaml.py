"""YAML is read as JSON is: within the same bounds, and nothing in it means more than it says."""

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from anabranch.service.bounded_yaml import BadYaml, read_yaml

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=20)


@given(VALUES)
def test_what_a_writer_of_yaml_quotes_is_read_as_it_was(value: object) -> None:
    written = yaml.dump(value, Dumper=_Plain, default_style='"', allow_unicode=False)
    assert read_yaml(written.encode()) == _told_as_text(value)


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True

    def process_tag(self) -> None:
        """Writes no tags."""


def _told_as_text(value: object) -> object:
    """With everything in quotes, all scalars are text."""
    match value:
        case dict():
            return {key: _told_as_text(item) for key, item in value.items()}
        case list():
            return [_told_as_text(item) for item in value]
        case str():
            return value
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case _:
            return yaml.safe_dump(value).splitlines()[0]


@given(st.binary(max_size=200) | TEXTS.map(str.encode))
def test_anything_is_read_or_refused(written: bytes) -> None:
    try:
        value = read_yaml(written)
    except BadYaml:
        return
    assert value is None or isinstance(value, dict | list | str | bool | int | float)


@pytest.mark.parametrize(
    ("word", "means"),
    [
        ("1", 1),
        ("-0", 0),
        ("1.5e3", 1500.0),
        ("true", True),
        ("~", None),
        ("yes", "yes"),
        ("on", "on"),
        ("0x10", "0x10"),
        ("010", "010"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2026-01-01", "2026-01-01"),
        (".inf", ".inf"),
        ("'1'", "1"),
        ("9" * 400, "9" * 400),
    ],
)
def test_a_word_is_what_json_would_make_of_it_or_text(word: str, means: object) -> None:
    assert read_yaml(f"a: {word}".encode()) == {"a": means}


@pytest.mark.parametrize(
    "written",
    [b'"\\UFFFFFFFF"', b'"\\ud800"', b"a: 1e999", b"\x00", b"%YAML 9.9\n--- a", b"<<: {a: b, a: c}"],
)
def test_what_no_reader_can_be_trusted_with_is_refused(written: bytes) -> None:
    with pytest.raises(BadYaml):
        read_yaml(written)


def test_a_bomb_of_aliases_is_refused_at_the_first() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    with pytest.raises(BadYaml, match=r"line 2: .* is an alias"):
        read_yaml("\n".join(lines).encode())


def test_a_number_may_be_any_double() -> None:
    assert math.isclose(read_yaml(b"1e308"), 1e308)
