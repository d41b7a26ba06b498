"""Runs thinkers that read each other while they think, on any engine: GroupThink and Hogwild! share this.

A thinker decodes a segment, posts it, reads what its siblings have posted meanwhile, and goes on. Nobody waits for
anybody. T is the longest chain of segments in which each follows one that it read or wrote (protocols.md 6 and 7).
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

from anabranch.dag.actions import (
    Action,
    Answer,
    Board,
    Fork,
    Forked,
    Join,
    Joined,
    Mode,
    Policy,
    Post,
    Segment,
    SubPolicy,
    Think,
)
from anabranch.dag.answers.extraction import read_boxed
from anabranch.dag.decoding import Decoding, Finish
from anabranch.dag.errors import NoAnswer
from anabranch.dag.ids import BranchId
from anabranch.dag.policies.parts.prompts import fill_text
from anabranch.dag.policies.parts.shared_memory import TOKEN_LENGTH, Layout, Memory, own_words, written_by
from anabranch.dag.policies.trained.splicing import rewrite
from anabranch.dag.text import Base, say

ANSWERED = "answered"
"""Flag of a thinker that returned an answer, and not only what it wrote."""
FORCED = "forced"
"""Flag of one that was made to answer: it counts when nobody answers unasked."""
STEP_END = "\n\n"
NUDGE = " Quick check: am I doing redundant work? (yes/no):"
FINISHER = "\n\nTime is up. The final answer is \\boxed{"
FINISHER_TOKENS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupConfig:
    """How a group thinks together."""

    names: tuple[str, ...]
    rules: str
    """What each is told; `{me}` and `{others}` are names."""
    layout: Layout
    stride: int
    """Tokens that a thinker may write before it looks up."""
    tokens: int
    """Tokens that it may write in all."""
    nudge: int = 0
    """Tokens after which it is asked whether its work is redundant; 0: never."""
    primer: str = ""
    """How each begins its first step; `{me}` and `{others}` are names."""
    strict: bool = False
    """A step ends behind a sentence alone (`shared_memory.ends_step`)."""
    finisher: str = FINISHER
    """Put behind all that was written for one who is made to answer; in a box that it opens, or in a line."""
    must_answer: bool = False
    """Nobody stops by ending a turn; who has no more to say, or no tokens, is made to answer."""

    def tell(self, me: int, text: str) -> str:
        """A text for one of them, with the names in their places."""
        others = ", ".join(name for name in self.names if name != self.names[me])
        return fill_text(text, me=self.names[me], others=others)

    def child(self, me: int, numbers: Mapping[BranchId, int]) -> SubPolicy:
        return SubPolicy(
            run=lambda: _thinker(self, me, numbers),
            base=Base.PROBLEM,
            messages=(say("system", self.tell(me, self.rules)),),
            role="thinker",
            label=self.names[me],
        )


def run_group(config: GroupConfig) -> Generator[Action, Any, Answer | tuple[tuple[BranchId, str], ...]]:
    """Let all think: the answer of the first who gives one, of the first who was made to, or what each has written.

    Who still thinks is cancelled then, as all children of a policy that has its answer are. Raises NoAnswer when
    nobody wrote anything.
    """
    numbers: dict[BranchId, int] = {}  # known once they are forked, and needed when the first has posted
    forked: Forked = yield Fork(children=tuple(config.child(me, numbers) for me in range(len(config.names))))
    numbers |= {branch: me for me, branch in enumerate(forked.ids) if branch is not None}
    pending, traces, forced = forked.branches, dict[BranchId, str](), list[Answer]()
    while pending:
        joined: Joined = yield Join(targets=pending, mode=Mode.FIRST)
        pending = joined.pending
        for result in joined.results:
            if ANSWERED in result.flags:
                return Answer(text=result.value, sources=(result.branch,))
            if FORCED in result.flags:
                forced.append(Answer(text=result.value, sources=(result.branch,), flags=(FORCED,)))
            name = config.names[numbers[result.branch]]
            traces[result.branch] = result.value or written_by(name, result.text)
    if forced:
        return forced[0]
    written = tuple((branch, traces[branch]) for branch in forked.branches if traces[branch])
    if not written:
        raise NoAnswer("no thinker wrote anything")
    return written


def _thinker(config: GroupConfig, me: int, numbers: Mapping[BranchId, int]) -> Policy:
    """One thinker. It gives its answer, flagged so, or else all that it wrote; one that repeats itself has no more."""
    memory = Memory(names=config.names, me=me, strict=config.strict)
    reads: tuple[BranchId, ...] = ()
    context, trace, spent, unasked = "", "", 0, 0
    while spent < config.tokens:
        due = config.nudge and unasked >= config.nudge and not memory.unfinished
        told = NUDGE if due else "" if spent else config.tell(me, config.primer)
        before, context = context, memory.page(config.layout) + told
        yield rewrite(before, context, reads)
        segment: Segment = yield Think(Decoding(stop=(STEP_END,), max_tokens=config.stride))
        words = own_words(segment.text, config.stride)
        strays = words != segment.text
        if not words.strip() and (strays or segment.finish is not Finish.STOP):
            break
        written = told + (words.rstrip() + STEP_END if strays else words)
        spent += max(1, segment.tokens, len(written) // TOKEN_LENGTH)
        unasked = segment.tokens + (0 if due else unasked)
        context += segment.text
        trace += written
        board: Board = yield Post(text=written)
        for branch, text in board.posts:
            memory.hear(numbers[branch], text)
        reads = tuple(dict.fromkeys(branch for branch, _ in board.posts))
        ends_turn = strays or segment.finish is Finish.EOS
        finished = memory.hear(me, written) + ([memory.unfinished] if ends_turn else [])
        answers = [answer for step in finished if (answer := read_boxed(step)) is not None and answer.strip()]
        if answers:
            return Answer(text=answers[0].strip(), flags=(ANSWERED,))
        out_of_words = memory.repeats(finished) or (ends_turn and not config.must_answer)
        if segment.winding_down or out_of_words:
            break
    if not config.must_answer or segment.winding_down:
        return Answer(text=trace.strip())
    yield rewrite(context, memory.page(config.layout) + config.finisher, reads)
    last: Segment = yield Think(Decoding(max_tokens=FINISHER_TOKENS))
    answer = read_boxed(config.finisher + last.text) or last.text.partition("\n")[0]
    return Answer(text=answer.strip() or trace.strip(), flags=(FORCED,) if answer.strip() else ())
