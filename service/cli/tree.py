"""The growing tree in the terminal: a fold of events, drawn with rich.

Models wrote much of what is shown here: it is drawn as plain text, never as markup, and without control characters.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from rich.text import Text
from rich.tree import Tree

from anabranch.dag.ids import TRUNK, BranchId, by_path, parent_of

Json = dict[str, Any]

SHOWN_CHILDREN = 16
"""Of a wider fork the rest is drawn as one line."""
LABEL_WIDTH = 60

MARKS = {
    "queued": ("○", "dim"),
    "waiting": ("◌", "yellow"),
    "decoding": ("◐", "cyan"),
    "open": ("◦", "cyan"),
    "returned": ("●", "green"),
    "failed": ("✗", "red"),
    "cancelled": ("⊘", "dim"),
}
ENDINGS = {"BranchReturned": "returned", "BranchFailed": "failed", "BranchCancelled": "cancelled"}
URGENCY = ("failed", "decoding", "waiting", "open", "returned", "queued", "cancelled")


@dataclass(slots=True)
class Leaf:
    """One branch, as its events have made it."""

    role: str
    label: str = ""
    status: str = "queued"
    tokens: int = 0
    attempt: int = 1
    children: list[BranchId] = field(default_factory=list)


class Growth:
    """All branches of a job, as far as its events have told."""

    def __init__(self) -> None:
        self._branches: dict[BranchId, Leaf] = {TRUNK: Leaf("trunk")}
        self._status = "queued"
        self._notes: list[str] = []

    def add(self, event: Json) -> None:
        """One event, as the REST surface gives it."""
        kind, branch, payload = event["kind"], event["branch"], event["payload"]
        leaf = self._branches[branch]
        match kind:
            case "JobSubmitted":
                leaf.label = payload["spec"]["policy"]
            case "JobClaimed":
                self._status, leaf.status = "running", "open"
            case "BranchForked":
                leaf.children.append(payload["child"])
                self._branches[payload["child"]] = Leaf(payload["role"], payload.get("label", ""))
            case "SegmentStarted":
                leaf.status = "decoding"
            case "SegmentFinished":
                self._decoded(leaf, payload["decoded"])
            case "BranchRetried":
                leaf.attempt = payload["attempt"]
            case "ApprovalRequested":
                leaf.status = "waiting"
                self._notes.append(f"waits for a person at {payload['gate']}")
            case "ApprovalDecided":
                leaf.status = "open"
                self._notes.append(f"a person said {payload['decision']}")
            case "BudgetExceeded":
                self._notes.append(f"budget of {payload['resource']} spent: {payload['spent']:g}")
            case "ForkRejected":
                self._notes.append(f"a fork was rejected: {payload['reason']}")
            case "JobSucceeded" | "JobFailed" | "JobCancelled":
                self._status = kind.removeprefix("Job").lower()
            case _:
                leaf.status = ENDINGS.get(kind, leaf.status)

    def draw(self, critical: Collection[str] = ()) -> Tree:
        """The tree as it is now; branches in `critical` are lit."""
        root = Tree(self._line(TRUNK, critical), guide_style="bold yellow" if critical else "dim")
        self._grow(root, TRUNK, critical)
        for note in self._notes:
            root.add(Text(printable(note), style="italic dim"))
        return root

    def _decoded(self, leaf: Leaf, decoded: Json) -> None:
        leaf.tokens += decoded.get("usage", {}).get("completion_tokens", 0)
        if leaf.status == "decoding":
            leaf.status = "open"

    def _grow(self, tree: Tree, branch: BranchId, critical: Collection[str]) -> None:
        children = self._branches[branch].children
        shown = sorted(self._most_telling(children, critical), key=by_path)
        for child in shown:
            style = "bold yellow" if child in critical else "dim"
            self._grow(tree.add(self._line(child, critical), guide_style=style), child, critical)
        if len(shown) < len(children):
            rest = Counter(self._branches[child].status for child in children if child not in shown)
            told = ", ".join(f"{count} {status}" for status, count in rest.most_common())
            tree.add(Text(f"… and {len(children) - len(shown)} more: {told}", style="dim"))

    def _most_telling(self, children: list[BranchId], critical: Collection[str]) -> list[BranchId]:
        """All of a narrow fork; of a wide one the critical, the failed and the running first."""

        def rank(child: BranchId) -> tuple[bool, int]:
            return child not in critical, URGENCY.index(self._branches[child].status)

        return sorted(children, key=rank)[:SHOWN_CHILDREN]

    def _line(self, branch: BranchId, critical: Collection[str]) -> Text:
        leaf = self._branches[branch]
        mark, style = MARKS[leaf.status]
        line = Text.assemble((f"{mark} ", style), (branch, "bold yellow" if branch in critical else "bold"))
        line.append(f" {printable(leaf.role)}")
        if leaf.tokens:
            line.append(f"  {leaf.tokens} tokens", style="magenta")
        if leaf.attempt > 1:
            line.append(f"  attempt {leaf.attempt}", style="yellow")
        if parent_of(branch) is None:
            line.append(f"  {self._status}", style="dim")
        if leaf.label:
            line.append(f"  {_short(leaf.label)}", style="dim")
        return line


def printable(text: str) -> str:
    """One line without control characters: what a model writes moves no cursor."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _short(label: str) -> str:
    one_line = " ".join(printable(label).split())
    return one_line if len(one_line) <= LABEL_WIDTH else one_line[: LABEL_WIDTH - 1] + "…"
