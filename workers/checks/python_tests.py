"""Tests Python that a model wrote, in the sandbox; each unit test is reported by itself."""

import re
import secrets
from collections.abc import Sequence

from anabranch.workers.checks.sandbox import Limits, run

FENCE = re.compile(r"```(?P<language>[\w+-]*)[^\S\n]*\n(?P<code>.*?)```", re.DOTALL)

HARNESS = r"""
def main(source, tests, mark):
    import os, sys

    class Quiet:
        def write(self, text):
            return len(text)

        def flush(self):
            pass

    def attempt(code, name):
        try:
            exec(compile(code, name, "exec"), names)
        except BaseException as error:
            return f"{type(error).__name__}: {error}".rstrip(": ").replace("\n", " ")[:200]
        return ""

    tell, names = os.write, {"__name__": "solution"}
    sys.stdout = sys.stderr = Quiet()
    problem = attempt(source, "<solution>")
    for number, test in enumerate(tests):
        tell(1, f"{mark} {number} {problem or attempt(test, '<test>')}\n".encode())

"""
"""Tells of each test behind a mark that code has no honest way to know; code that wants to cheat still can."""


def problems(code: str, tests: Sequence[str], limits: Limits) -> list[str]:
    """Of each test what is wrong with it; empty where it passes. Tests share what the code and earlier tests defined.

    Raises SandboxRefused where code cannot be locked up.
    """
    mark = secrets.token_hex(8)
    ran = run(f"{HARNESS}main({code!r}, {list(tests)!r}, {mark!r})", limits)
    lines = (line.split(" ", 2) for line in ran.output.splitlines() if line.startswith(f"{mark} "))
    told = {int(number): problem for _, number, problem in lines}
    return [told.get(number, ran.ending or "it ended early") for number in range(len(tests))]


def code_in(reply: str) -> str:
    """The Python of a reply: its blocks that are marked so, else its first block, else all of it."""
    blocks = [(block["language"].lower(), block["code"]) for block in FENCE.finditer(reply)]
    marked = [code for language, code in blocks if language in {"python", "python3", "py"}]
    return "\n".join(marked) or next((code for _, code in blocks), reply)
