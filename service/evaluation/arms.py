"""Reads which policies are compared: `sequential,self-consistency:n=8,best-of-n@small:n=4,judge=true`.

Policies are parted by commas; a model stands behind `@`, parameters behind `:`, each `name=value`. A value is JSON
where it can be read as JSON, and text otherwise; commas within its brackets and quotes are its own.
"""

import re
from collections.abc import Iterator

from anabranch.dag.evaluation.design import Arm
from anabranch.service.bounded_json import BadJson, read_json
from anabranch.service.evaluation.errors import BadTasks

_PARAMETER = re.compile(r"[A-Za-z_]\w{0,63}=")
_OPENS, _CLOSES = "[{(", "]})"


def read_arms(text: str, model: str | None = None) -> tuple[Arm, ...]:
    """The policies that the text names, in its order. `model` is asked where none is named. Raises BadTasks."""
    arms: list[list[str]] = []
    for piece in _split(text):
        if _PARAMETER.match(piece):
            if not arms:
                raise BadTasks(f"{piece!r} stands behind no policy; write NAME:{piece}")
            arms[-1].append(piece)
        else:
            head, colon, first = piece.partition(":")
            arms.append([head.strip(), *([first] if colon else [])])
    found = tuple(_read_arm(head, parameters, model) for head, *parameters in arms)
    if not found:
        raise BadTasks("no policy is named; write --policies sequential,self-consistency:n=8")
    labels = [arm.label for arm in found]
    if twice := next((label for label in labels if labels.count(label) > 1), None):
        raise BadTasks(f"{twice} is named twice")
    return found


def _read_arm(head: str, parameters: list[str], model: str | None) -> Arm:
    policy, _, own = head.partition("@")
    params = dict(_read_parameter(policy, parameter) for parameter in parameters)
    told = ",".join(parameter.strip() for parameter in parameters)
    return Arm(label=f"{head}:{told}" if told else head, policy=policy, params=params, model=own or model)


def _read_parameter(policy: str, text: str) -> tuple[str, object]:
    name, equals, value = text.strip().partition("=")
    if not equals or not name or not value:
        raise BadTasks(f"{text!r} of {policy} is no parameter; write {policy}:name=value")
    try:
        return name, read_json(value)
    except BadJson as error:
        raise BadTasks(f"{name} of {policy}: {error}") from error
    except ValueError:
        return name, value


def _split(text: str) -> Iterator[str]:
    """The pieces between commas that stand outside of brackets and quotes."""
    begin, depth, quoted = 0, 0, False
    for place, letter in enumerate(text):
        if letter == '"' and text[place - 1 : place] != "\\":
            quoted = not quoted
        elif not quoted:
            depth += (letter in _OPENS) - (letter in _CLOSES)
            if letter == "," and depth == 0:
                yield text[begin:place].strip()
                begin = place + 1
    if text[begin:].strip():
        yield text[begin:].strip()
