"""A job in virtual time: processes that fork, decode and join on a pool of limited width, writing a legal journal.

For pages and speed tests only, where a journal must be large, lifelike and the same for the same seed. What policies
really do is in `dag/policies`; this file knows none of them.
"""

import heapq
import random
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

START = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC).timestamp()
TOKENS_PER_SECOND = 60.0
PREFILL_PER_SECOND = 4000.0

Event = dict[str, Any]
Process = Generator["Wish", Any, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decode:
    """Ask for one segment; resumes with its tokens when it has ended."""

    branch: str
    tokens: int
    prompt: int
    text: str
    cached: int = 0
    finish: str = "eos"
    fault: str = ""
    thought: str = ""
    thought_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Wait for `need` of the targets (0: all of them)."""

    branch: str
    targets: tuple[str, ...]
    need: int = 0


@dataclass(frozen=True, slots=True)
class Sleep:
    seconds: float


Wish = Decode | Join | Sleep


@dataclass
class Branch:
    """What the simulation keeps of a branch."""

    children: int = 0
    segments: int = 0
    attempt: int = 1
    joins: int = 0
    ended: str = ""
    open: bool = False
    process: Process | None = None


@dataclass
class Simulation:
    """One job, its clock, its journal. `slots` is how many segments the pool decodes at once."""

    job: str
    seed: int = 0
    slots: int = 16
    replicas: int = 2
    start: float = START
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.now = self.start
        self.branches: dict[str, Branch] = {"0": Branch()}
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._ticket = count()
        self._waiting: list[tuple[Decode, float, int]] = []
        self._joins: list[tuple[Join, int, list[str]]] = []
        self._busy = 0

    # -- the journal

    def write(self, kind: str, branch: str = "0", **payload: Any) -> None:
        at = datetime.fromtimestamp(round(self.now, 6), UTC)
        self.events.append(
            {
                "job": self.job,
                "seq": len(self.events) + 1,
                "epoch": 0 if not self.events else 1,
                "at": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
                "kind": kind,
                "branch": branch,
                "payload": payload,
            }
        )

    def submit(self, spec: dict[str, Any]) -> None:
        self.write("JobSubmitted", spec=spec, policy_version="simulated00000000")
        self.now += 0.012
        self.write("JobClaimed", owner="organizer-1", attempt=1)

    def fork(self, parent: str, role: str, label: str, run: Callable[[str], Process], **payload: Any) -> str:
        """Create a child; its process starts at once, or when the branches in `after` have ended."""
        self.branches[parent].children += 1
        child = f"{parent}.{self.branches[parent].children}"
        self.branches[child] = Branch(process=run(child))
        reading = {"base": "parent", "messages": [{"role": "user", "parts": [label]}]}
        self.write("BranchForked", parent, child=child, role=role, label=label, reading=reading, **payload)
        self._begin(child, tuple(payload.get("after", ())))
        return child

    def end(self, branch: str, kind: str = "BranchReturned", **payload: Any) -> None:
        self.branches[branch].ended = kind
        self.write(kind, branch, **payload)
        self._settle(branch)

    def cancel(self, branch: str, reason: str, by: str = "answer") -> None:
        """Cancel what still lives of this branch, children first."""
        of = self.branches[branch]
        for ordinal in range(1, of.children + 1):
            self.cancel(f"{branch}.{ordinal}", reason, by)
        if not of.ended:
            queued = [entry for entry in self._waiting if entry[0].branch == branch]
            self._waiting = [entry for entry in self._waiting if entry[0].branch != branch]
            self.end(branch, "BranchCancelled", reason=reason, by=by)
            if queued:
                self._finished(branch, tokens=0, prompt=0, finish="abort", text="")
            elif of.open:
                of.open = False
                self._busy -= 1
                self._finished(branch, tokens=self.random.randint(20, 90), prompt=400, finish="abort")

    # -- time

    def run(self, trunk: Process) -> list[Event]:
        """Play until nothing is left to do; returns the journal."""
        self.branches["0"].process = trunk
        self._advance("0", trunk, None)
        while self._agenda:
            self.now, _, act = heapq.heappop(self._agenda)
            act()
        return self.events

    def _at(self, when: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (when, next(self._ticket), act))

    def _begin(self, child: str, after: tuple[str, ...]) -> None:
        process = self.branches[child].process
        assert process is not None
        if all(self.branches[other].ended for other in after):
            self._at(self.now, lambda: self._advance(child, process, None))
        else:
            self._joins.append((Join(branch=child, targets=after), -1, []))

    def _advance(self, branch: str, process: Process, value: Any) -> None:
        if self.branches[branch].ended:
            return
        try:
            wish = process.send(value)
        except StopIteration:
            return
        match wish:
            case Sleep():
                self._at(self.now + wish.seconds, lambda: self._advance(branch, process, None))
            case Join():
                self._ask_join(wish)
            case Decode():
                self._ask_decode(wish)

    # -- decoding

    def _ask_decode(self, wish: Decode) -> None:
        of = self.branches[wish.branch]
        of.segments += 1
        seed = self.random.randrange(1 << 30)
        started = {"segment": of.segments, "max_tokens": 1024, "temperature": 0.7, "seed": seed}
        if of.attempt > 1:
            started["attempt"] = of.attempt
        self.write("SegmentStarted", wish.branch, **started)
        self._waiting.append((wish, self.now, of.segments))
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._busy < self.slots:
            wish, submitted, segment = self._waiting.pop(0)
            self._busy += 1
            self.branches[wish.branch].open = True
            scheduled = self.now + 0.004 + 0.01 * self.random.random()
            first = scheduled + (wish.prompt - wish.cached) / PREFILL_PER_SECOND + 0.012
            pace = TOKENS_PER_SECOND * (1.15 - 0.5 * self._busy / max(self.slots, 1))
            finished = first + wish.tokens / pace
            timing = {
                "submitted": submitted,
                "admitted": self.now,
                "scheduled": scheduled,
                "first_token": first,
                "finished": finished,
            }
            self._at(finished, lambda w=wish, s=segment, t=timing: self._decoded(w, s, t))  # type: ignore[misc]

    def _decoded(self, wish: Decode, segment: int, timing: dict[str, float]) -> None:
        of = self.branches[wish.branch]
        if not of.open or of.ended or of.segments != segment:
            return
        of.open = False
        self._busy -= 1
        self._finished(
            wish.branch,
            wish.tokens,
            wish.prompt,
            wish.finish,
            wish.text,
            wish.cached,
            timing,
            wish.fault,
            (wish.thought, wish.thought_tokens),
        )
        process = of.process
        assert process is not None
        self._advance(wish.branch, process, wish.tokens)
        self._admit()

    def _finished(
        self,
        branch: str,
        tokens: int,
        prompt: int,
        finish: str,
        text: str = "…",
        cached: int = 0,
        timing: dict[str, float] | None = None,
        fault: str = "",
        thought: tuple[str, int] = ("", 0),
    ) -> None:
        of = self.branches[branch]
        decoded: dict[str, Any] = {
            "text": text,
            "finish": finish,
            "usage": {"prompt_tokens": prompt, "cached_tokens": cached, "completion_tokens": tokens},
            "replica": f"replica-{sum(map(ord, branch)) % self.replicas + 1}",
            "engine": "scripted",
        }
        if thought[0]:
            decoded["thought"], decoded["usage"]["reasoning_tokens"] = thought
        if timing:
            decoded["timing"] = {name: round(moment, 6) for name, moment in timing.items()}
        if fault:
            decoded["fault"] = {
                "cause": fault,
                "detail": "the replica went away while decoding",
                "retryable": True,
            }
        self.write("SegmentFinished", branch, segment=of.segments, attempt=of.attempt, decoded=decoded)

    def retry(self, branch: str, cause: str) -> None:
        self.branches[branch].attempt += 1
        self.write("BranchRetried", branch, attempt=self.branches[branch].attempt, cause=cause)

    # -- joins

    def _ask_join(self, wish: Join) -> None:
        of = self.branches[wish.branch]
        of.joins += 1
        mode = "all" if not wish.need else "first" if wish.need == 1 else "first-k"
        self.write(
            "JoinRequested", wish.branch, join=of.joins, targets=wish.targets, mode=mode, count=wish.need
        )
        ended = [target for target in wish.targets if self.branches[target].ended]
        self._joins.append((wish, of.joins, ended))
        self._at(self.now, self._settle_all)

    def _settle(self, branch: str) -> None:
        for wish, _, ended in self._joins:
            if branch in wish.targets and branch not in ended:
                ended.append(branch)
        self._at(self.now, self._settle_all)

    def _settle_all(self) -> None:
        ready = [entry for entry in self._joins if self._satisfied(entry)]
        self._joins = [entry for entry in self._joins if entry not in ready]
        for wish, ordinal, ended in ready:
            process = self.branches[wish.branch].process
            if self.branches[wish.branch].ended or process is None:
                continue
            joined = tuple(ended[: wish.need]) if wish.need else wish.targets
            if ordinal > 0:
                self._write_joined(wish, ordinal, joined)
            self._advance(wish.branch, process, joined if ordinal > 0 else None)

    def _satisfied(self, entry: tuple[Join, int, list[str]]) -> bool:
        wish, ordinal, ended = entry
        if ordinal < 0:
            return all(self.branches[target].ended for target in wish.targets)
        return len(ended) >= (wish.need or len(wish.targets))

    def _write_joined(self, wish: Join, ordinal: int, joined: tuple[str, ...]) -> None:
        failed = [target for target in joined if self.branches[target].ended == "BranchFailed"]
        pending = [target for target in wish.targets if target not in joined]
        self.write("BranchesJoined", wish.branch, join=ordinal, joined=joined, pending=pending, failed=failed)
