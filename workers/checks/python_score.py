"""Scores a text by the user's own Python, in the sandbox, for it may read what a model wrote."""

import secrets
from collections.abc import Mapping
from typing import Any

from anabranch.workers.checks.sandbox import Limits, run

HARNESS = r"""
def main(code, text, state, mark):
    import os

    tell, names = os.write, {"__name__": "scorer"}
    try:
        exec(compile(code, "<code>", "exec"), names)
        told = repr(float(names["score"](text, state)))
    except BaseException as error:
        told = f"{type(error).__name__}: {error}".replace("\n", " ")[:200]
    tell(1, f"\n{mark} {told}\n".encode())

"""


def score(code: str, text: str, state: Mapping[str, Any], limits: Limits) -> tuple[float, str]:
    """What `score(text, state)` of the code gives, from 0 to 1; or 0.0, and why there is no such number.

    `state` holds strings, numbers, lists and mappings. Raises SandboxRefused where code cannot be locked up.
    """
    mark = secrets.token_hex(8)
    ran = run(f"{HARNESS}main({code!r}, {text!r}, {dict(state)!r}, {mark!r})", limits)
    line = next((each for each in ran.output.splitlines() if each.startswith(f"{mark} ")), "")
    told = line.partition(" ")[2] or ran.ending or "it ended early"
    try:
        number = float(told)
    except ValueError:
        return 0.0, f"the code gives no score: {told}"
    return (number, "") if 0 <= number <= 1 else (0.0, f"the code gives no score: {told} is not from 0 to 1")
