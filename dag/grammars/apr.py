"""Describes APR's tags: `<Calling Sub Searches>`, a `<Start Sub Search k at level 1> Moving to Node #a,b` per child,
`<End Calling …>`.

Pan et al. (arXiv 2504.15466), spawn and join as released for Countdown. Kinds: `spawn` and `repair`; both stop. A
child is read for `repair` alone (`apr-child`): what it spawns stays text.

* `<Sub Searches>` opens the results, which only the runtime writes. A model that writes it, within a spawn too, is
  stopped (`repair`): the runtime puts `<Calling Sub Searches>` in its place and lets it go on, now with the grammar
  `apr-calling`, which begins inside a spawn.
* A spawn names nodes, not states: the runtime finds each in the parent's text and composes the child's message
  (`nodes`). A spawn that names none is malformed (`no-sub-search`).
* The strict reading asks for one line per child and nothing else, numbered 0, 1, 2, …, all at level 1.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anabranch.dag.grammars.marks import spelling
from anabranch.dag.grammars.table import Rule, Table

_NODE = r"#([0-9]{1,9}(?:,[0-9]{1,9}){0,32})"
_STATE = r"([0-9]{1,9}:\[[^\]\n]{0,400}\])"
_CHILD = re.compile(
    r"<\s*+Start\s++Sub\s++Search\s++([0-9]{1,9})\s++at\s++level\s++([0-9]{1,9})\s*+>\s*+Moving\s++to\s++Node\s*+"
    + _NODE
    + r"(?::[ \t]*([^\n<]*))?",
    re.IGNORECASE | re.ASCII,
)
_VISITED = re.compile(
    rf"Moving to Node {_NODE} *+\n *+Current State: {_STATE}, Operations: \[([^\]\n]{{0,4000}})\]"
)
_GENERATED = re.compile(rf"Generated Node {_NODE}: {_STATE} Operation: ([^\n]+)")
_OPERATION = re.compile("'([^'\n]*)'")
_GOAL = "Goal Reached"
_BUDGET = re.compile(r"Token Budget: [0-9]{1,9} +(?=Moving to Node)")


@dataclass(frozen=True, slots=True)
class SubSearch:
    """One child that a spawn asks for."""

    index: int
    level: int
    node: str
    """Without the `#`: `0,1`."""
    message: str = ""
    """What to search for, where the line says so. Trained models never do: the parent's text tells of their nodes."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the search, as its parent's text tells it."""

    ident: str
    state: str
    """Target and numbers: `27:[26, 31, 31]`."""
    operations: tuple[str, ...]
    """From the root to this node."""

    @property
    def message(self) -> str:
        """All that a child is sent to search from this node; it continues this text."""
        operations = list(self.operations)
        return f"Moving to Node #{self.ident}\nCurrent State: {self.state}, Operations: {operations}"


def sub_searches(body: str) -> tuple[SubSearch, ...]:
    """The children in a spawn's body, as written."""
    return tuple(
        SubSearch(int(index), int(level), node, message.strip())
        for index, level, node, message in _CHILD.findall(body)
    )


def nodes(text: str) -> Mapping[str, Node]:
    """The nodes that a parent's text tells of (its own message and all it wrote), by ident.

    A node that was moved to is told by the last `Current State`; one that was only generated, by its parent's
    operations and its own. A sub search from a node that is not here has no message: the spawn is malformed.
    """
    found = {
        ident: Node(ident, state, tuple(_OPERATION.findall(operations)))
        for ident, state, operations in _VISITED.findall(text)
    }
    for ident, state, operation in _GENERATED.findall(text):
        parent = found.get(ident.rpartition(",")[0])
        if parent and ident not in found:
            found[ident] = Node(ident, state, (*parent.operations, operation.strip()))
    return found


def _check(body: str) -> str:
    return "" if sub_searches(body) else "no-sub-search"


def _form(body: str) -> str:
    children = sub_searches(body)
    start = "<Start Sub Search {0.index} at level {0.level}> Moving to Node #{0.node}\n"
    if body != "\n" + "".join(start.format(child) for child in children):
        return "stray-text"
    if any(child.level != 1 for child in children):
        return "level"
    return "" if [child.index for child in children] == list(range(len(children))) else "numbering"


_PAPER = "arXiv 2504.15466, spawn and join"
MARKS = (
    "Calling Sub Searches",
    "Start Sub Search # at level #",
    "End Calling Sub Searches",
    "Sub Searches",
    "Goal Reached in Sub Search # at level # at Node #",
    "No Solution in Sub Search # at level # at Node #",
    "End Sub Searches",
)
_SPAWN = Rule(
    kind="spawn",
    opens="<Calling Sub Searches>",
    closes="<End Calling Sub Searches>",
    stops=True,
    check=_check,
    form=_form,
)
_RULES = (_SPAWN, Rule(kind="repair", opens="<Sub Searches>", stops=True, anywhere=True))

APR = Table(name="apr", source=_PAPER, rules=_RULES, marks=MARKS)
APR_CHILD = Table(name="apr-child", source=f"{_PAPER}: a child", rules=_RULES[1:], marks=MARKS)
APR_CALLING = Table(
    name="apr-calling", source=f"{_PAPER}: after a repair", rules=_RULES, marks=MARKS, within=_SPAWN
)

_OPENING = spelling(_SPAWN.opens)


def call_span(text: str) -> int:
    """How many characters at the end of a parent's text are its last spawn: they make room for the results."""
    begins = [mark.start() for mark in _OPENING.finditer(text)]
    return len(text) - begins[-1] if begins else 0


def optimal_path(text: str) -> str | None:
    """What stands behind the second-to-last "Goal Reached" and the one character that follows it. A search says it
    when it reaches the goal and again at the end of its optimal path: said once or never, nothing was found (None)."""
    pieces = text.rstrip().rsplit(_GOAL, 2)
    return f"{pieces[1]}{_GOAL}{pieces[2]}"[1:] if len(pieces) == 3 else None


def results(found: Sequence[tuple[str, str | None]]) -> str:
    """The result span: for each child, by its node and in the order of the call, a line; behind it the path it found.

    The numbers are those of the places, whatever the call wrote, as in the released client.
    """
    lines = "".join(_result(place, node, path) for place, (node, path) in enumerate(found))
    return f"<Sub Searches>\n{lines}<End Sub Searches>\n"


def _result(place: int, node: str, path: str | None) -> str:
    where = f"in Sub Search {place} at level 1 at Node #{node}"
    return f"<No Solution {where}>\n" if path is None else f"<Goal Reached {where}>\n{path}\n"


def token_budget(question: str) -> str:
    """The prefix `Token Budget: n ` of a question that begins with it, which is put before each child's message, too;
    empty otherwise. A `Sub Call Budget: n ` is the parent's alone."""
    prefix = _BUDGET.match(question)
    return prefix.group() if prefix else ""
