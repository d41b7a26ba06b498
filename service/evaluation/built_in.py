"""Makes tasks by name with reasoning-gym: the same name, seed and count give the same questions.

reasoning-gym makes the questions only. Its own scorers run `eval` on what a model wrote, so answers are judged by our
graders: by value where there is one right answer, and in the sandbox where there are many.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

from anabranch.dag.evaluation.design import Grader, Task
from anabranch.service.evaluation.errors import BadTasks

COUNTDOWN = r'''
import re
from fractions import Fraction

def score(text, state):
    """Whether one of the last lines holds an expression of all numbers, each once, that makes the target."""
    lines = [line for line in text.splitlines() if line.strip()][-8:]
    spans = [span for line in lines for span in re.findall(r"[-+*/() 0-9]+", plain(line))]
    return 1.0 if any(makes(re.findall(r"[0-9]+|[-+*/()]", span.strip("* ")), state) for span in spans) else 0.0

def plain(line):
    for written, sign in (("\\times", "*"), ("\\cdot", "*"), ("\\div", "/"), ("×", "*"), ("÷", "/"), ("−", "-")):
        line = line.replace(written, sign)
    return line

def makes(tokens, state):
    if sorted(int(token) for token in tokens if token.isdigit()) != sorted(state["numbers"]):
        return False
    try:
        value, rest = total(tokens, 0)
    except (IndexError, ValueError, ZeroDivisionError):
        return False
    return rest == len(tokens) and value == state["target"]

def total(tokens, at):
    value, at = product(tokens, at)
    while at < len(tokens) and tokens[at] in "+-":
        other, then = product(tokens, at + 1)
        value, at = (value + other if tokens[at] == "+" else value - other), then
    return value, at

def product(tokens, at):
    value, at = factor(tokens, at)
    while at < len(tokens) and tokens[at] in "*/":
        other, then = factor(tokens, at + 1)
        value, at = (value * other if tokens[at] == "*" else value / other), then
    return value, at

def factor(tokens, at):
    if tokens[at] == "-":
        value, at = factor(tokens, at + 1)
        return -value, at
    if tokens[at] == "(":
        value, at = total(tokens, at + 1)
        if tokens[at] != ")":
            raise ValueError("it is never closed")
        return value, at + 1
    return Fraction(int(tokens[at])), at + 1
'''
WORDS = r'''
import re

def score(text, state):
    """Whether it ends with these words, or one of its last lines does: signs and blanks between them do not count."""
    wanted = words(state["answer"], state)
    lines = [line for line in text.splitlines() if line.strip()][-8:]
    return 1.0 if wanted in [words(part, state)[-len(wanted):] for part in (text, *lines)] else 0.0

def words(text, state):
    return re.findall(r"[\w-]+", text if state["case"] else text.casefold())
'''

Make = Callable[[Mapping[str, Any]], Grader]


def _same(kind: str) -> Make:
    return lambda _entry: Grader(kind)


def _words(*, case: bool) -> Make:
    return lambda entry: Grader(
        "python-score", {"code": WORDS, "state": {"answer": str(entry["answer"]), "case": case}}
    )


def _countdown(entry: Mapping[str, Any]) -> Grader:
    told = entry["metadata"]
    state = {"numbers": [int(number) for number in told["numbers"]], "target": int(told["target"])}
    return Grader("python-score", {"code": COUNTDOWN, "state": state})


SETS: Mapping[str, Make] = {
    "basic_arithmetic": _same("math"),
    "calendar_arithmetic": _words(case=False),
    "chain_sum": _same("math"),
    "count_bits": _same("math"),
    "countdown": _countdown,
    "family_relationships": _words(case=False),
    "fraction_simplification": _same("math"),
    "gcd": _same("math"),
    "gsm_symbolic": _same("math"),
    "lcm": _same("math"),
    "leg_counting": _same("math"),
    "letter_counting": _same("math"),
    "mini_sudoku": _words(case=True),
    "products": _same("math"),
    "self_reference": _same("math"),
    "simple_equations": _same("math"),
    "spell_backward": _words(case=True),
    "syllogism": _words(case=False),
    "word_sorting": _words(case=True),
    "zebra_puzzles": _words(case=False),
}
"""Which sets there are, and how each one's answers are judged."""


def make_tasks(name: str, count: int, seed: int) -> tuple[Task, ...]:
    """So many tasks of a set. Raises BadTasks for a set that does not exist, and where the extra `eval` is missing."""
    make = SETS.get(name.replace("-", "_"))
    if make is None:
        raise BadTasks(f"there is no file {name} and no such task set; sets are {', '.join(sorted(SETS))}")
    try:
        import reasoning_gym
    except ModuleNotFoundError as missing:
        raise BadTasks(
            "task sets by name need reasoning-gym: pip install 'anabranch[eval]', with a C compiler and Python's "
            "headers (its pycosat comes as source): apt-get install gcc python3-dev"
        ) from missing
    made = reasoning_gym.create_dataset(name.replace("-", "_"), seed=seed, size=count)
    release = version("reasoning-gym")
    return tuple(
        Task(
            id=f"{name}-{release}-{seed}-{number}",
            question=entry["question"],
            answer=str(entry["answer"]),
            grader=make(entry),
        )
        for number, entry in enumerate(made, start=1)
    )
