"""Tools: a registered function answers; whatever else happens is a fault that says so."""

import pytest

from anabranch.workers.checks import tools
from anabranch.workers.errors import DecodeError

REGISTERED = {"sqrt": "math:sqrt", "upper": "string:capwords", "divide": "operator:truediv"}


def test_a_tool_is_called_with_its_arguments_and_answers_in_text() -> None:
    assert tools.call({"split": "os.path:splitext"}, "split", {"p": "a.txt"}) == '["a", ".txt"]'
    assert tools.call(REGISTERED, "upper", {"s": "two words"}) == "Two Words"


def test_a_built_in_without_a_signature_is_called_all_the_same() -> None:
    assert tools.call({"made": "builtins:dict"}, "made", {"a": "x"}) == '{"a": "x"}'
    with pytest.raises(DecodeError) as raised:
        tools.call({"most": "builtins:max"}, "most", {"of": "x"})
    assert raised.value.fault.detail.startswith("most raised TypeError")


def test_what_is_neither_text_nor_json_is_the_tools_fault() -> None:
    with pytest.raises(DecodeError) as raised:
        tools.call({"thing": "builtins:object"}, "thing", {})
    assert raised.value.fault.cause == "tool-error"


@pytest.mark.parametrize(
    ("tool", "arguments", "cause", "retryable"),
    [
        ("rm", {}, "unknown-tool", False),
        ("upper", {"text": "x"}, "bad-arguments", False),
        ("upper", {"s": None}, "tool-error", True),
    ],
)
def test_what_cannot_be_called_is_a_fault(
    tool: str, arguments: dict[str, object], cause: str, retryable: bool
) -> None:
    with pytest.raises(DecodeError) as raised:
        tools.call(REGISTERED, tool, arguments)
    assert (raised.value.fault.cause, raised.value.fault.retryable) == (cause, retryable)
    assert tool in raised.value.fault.detail
