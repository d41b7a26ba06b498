"""Draws a job's growing tree in the terminal: its state and its graph, folded from the events, drawn with rich.

Models wrote much of what is shown here: it is drawn as plain text, never as markup, and without control characters.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from rich.text import Text
from rich.tree import Tree

from anabranch.dag import events as e
from anabranch.dag.analysis.graph import ReasoningGraph
from anabranch.dag.analysis.metrics import critical_by_tokens
from anabranch.dag.ids import TRUNK, BranchId, by_path
from anabranch.dag.journal.wording import in_current_words
from anabranch.dag.state import JobState, apply
from anabranch.dag.status import BranchStatus
from anabranch.service.cli.output import printable
from anabranch.service.store.codec import UnknownEvent
from anabranch.service.wire import known_record_of

Json = dict[str, Any]

SHOWN_CHILDREN = 16
"""Of a wider fork the rest is drawn as one line."""
LABEL_WIDTH = 60

MARKS = {
    BranchStatus.QUEUED: ("○", "dim"),
    BranchStatus.WAITING: ("◌", "yellow"),
    BranchStatus.DECODING: ("◐", "cyan"),
    BranchStatus.OPEN: ("◦", "cyan"),
    BranchStatus.RETURNED: ("●", "green"),
    BranchStatus.FAILED: ("✗", "red"),
    BranchStatus.CANCELLED: ("⊘", "dim"),
}
URGENCY = (
    BranchStatus.FAILED,
    BranchStatus.DECODING,
    BranchStatus.WAITING,
    BranchStatus.OPEN,
    BranchStatus.RETURNED,
    BranchStatus.QUEUED,
    BranchStatus.CANCELLED,
)


@dataclass(frozen=True, slots=True)
class Writing:
    """A segment that is being decoded, as far as it is known."""

    segment: int
    thought: str = ""
    text: str = ""


class Growth:
    """All branches of a job, as far as its events have told."""

    def __init__(self) -> None:
        self._state = JobState()
        self._graph = ReasoningGraph()
        self._children: dict[BranchId, list[BranchId]] = {}
        self._notes: list[str] = []
        self._writing: dict[BranchId, Writing] = {}
        """What is being decoded."""

    def add(self, event: Json) -> None:
        """Folds one event, as the REST surface gives it."""
        record = known_record_of(event)
        if isinstance(record.event, UnknownEvent):
            return  # of a newer release; the rest of the tree stands without it
        apply(self._state, record.event)
        self._graph.add(record)
        if isinstance(record.event, e.BranchForked):
            self._children.setdefault(record.event.branch, []).append(record.event.child)
        if isinstance(record.event, e.SegmentFinished):
            self._writing.pop(record.event.branch, None)
        note = _note(record.event)
        if note:
            self._notes.append(note)

    def write(self, text: Json) -> None:
        """Adds live text, as an event `text` of the REST surface gives it."""
        branch, segment = BranchId(text["branch"]), text["segment"]
        before = self._writing.get(branch)
        if before is None or before.segment != segment:
            before = Writing(segment)
        thought = before.thought[: text["reasoning_at"]] + text["reasoning"]
        self._writing[branch] = Writing(segment, thought, before.text[: text["at"]] + text["text"])

    def critical(self) -> set[BranchId]:
        """The branches on the critical path in tokens."""
        return {self._graph.node(name).branch for name in critical_by_tokens(self._graph)}

    def draw(self, critical: Collection[str] = ()) -> Tree:
        """The tree as it is now; branches in `critical` are lit."""
        root = Tree(self._line(TRUNK, critical), guide_style="bold yellow" if critical else "dim")
        self._grow(root, TRUNK, critical)
        for note in self._notes:
            root.add(Text(printable(note), style="italic dim"))
        return root

    def _grow(self, tree: Tree, branch: BranchId, critical: Collection[str]) -> None:
        children = self._children.get(branch, [])
        shown = sorted(self._most_telling(children, critical), key=by_path)
        for child in shown:
            style = "bold yellow" if child in critical else "dim"
            self._grow(tree.add(self._line(child, critical), guide_style=style), child, critical)
        if len(shown) < len(children):
            rest = Counter(self._state.branches[child].status for child in children if child not in shown)
            told = ", ".join(f"{count} {status}" for status, count in rest.most_common())
            tree.add(Text(f"… and {len(children) - len(shown)} more: {told}", style="dim"))

    def _most_telling(self, children: list[BranchId], critical: Collection[str]) -> list[BranchId]:
        """All of a narrow fork; of a wide one the critical, the failed and the running first."""

        def rank(child: BranchId) -> tuple[bool, int]:
            return child not in critical, URGENCY.index(self._state.branches[child].status)

        return sorted(children, key=rank)[:SHOWN_CHILDREN]

    def _line(self, branch: BranchId, critical: Collection[str]) -> Text:
        of = self._state.branches[branch]
        mark, style = MARKS[of.status]
        line = Text.assemble((f"{mark} ", style), (branch, "bold yellow" if branch in critical else "bold"))
        line.append(f" {printable(of.role)}")
        if of.usage.completion_tokens:
            line.append(f"  {of.usage.completion_tokens} tokens", style="magenta")
        if of.attempt > 1:
            line.append(f"  attempt {of.attempt}", style="yellow")
        if branch == TRUNK:
            line.append(f"  {self._state.status}", style="dim")
        label = of.policy if branch == TRUNK else of.label
        if label:
            line.append(f"  {_short(label)}", style="dim")
        writing = self._writing.get(branch)
        if writing is not None:
            line.append(f"  {_last_words(writing.text or writing.thought)}", style="italic cyan")
        return line


def _note(event: e.Event) -> str:
    """What limited the job, or let it wait, in a line; empty for all else."""
    match in_current_words(event):
        case e.ApprovalRequested(gate=gate):
            return f"waits for a person at {gate}"
        case e.ApprovalDecided(decision=decision):
            return f"a person said {decision}"
        case e.WindUpRequested() as told:
            return f"asked to wind up: {told.spent:g} of {told.limit:g} {told.resource} are spent"
        case e.BudgetExceeded() as told:
            return f"budget of {told.resource} spent: {told.spent:g} of {told.limit:g}"
        case e.ForkRejected(reason=reason):
            return f"a fork was rejected: {reason}"
        case _:
            return ""


def _last_words(text: str) -> str:
    """How a text ends, in a line."""
    one_line = " ".join(printable(text[-4 * LABEL_WIDTH :]).split())
    return one_line if len(one_line) <= LABEL_WIDTH else "…" + one_line[1 - LABEL_WIDTH :]


def _short(label: str) -> str:
    one_line = " ".join(printable(label).split())
    return one_line if len(one_line) <= LABEL_WIDTH else one_line[: LABEL_WIDTH - 1] + "…"
