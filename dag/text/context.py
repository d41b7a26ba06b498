"""Renders what a branch has read and written, byte for byte, from the state alone: base by reference, then its own
text.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from anabranch.dag.branch_state import BranchState
from anabranch.dag.decoding.tools import Call, in_words, result_in_words
from anabranch.dag.grammars.escape import escape
from anabranch.dag.ids import TRUNK, BranchId, parent_of
from anabranch.dag.state import JobState
from anabranch.dag.status import BranchStatus
from anabranch.dag.text import Base, Context, Message, Output, Parts, Reading, Role, Turn

CUT = "\n[… {n} characters cut …]\n"


@dataclass(frozen=True, slots=True)
class _Text:
    """A context that is still being put together."""

    turns: tuple[Turn, ...] = ()
    continuation: str = ""


def render(state: JobState, branch: BranchId) -> Context:
    """The context that an engine gets for this branch's next segment. All branches it refers to have ended."""
    of = state.branches[branch]
    text = _render(state, of, None)
    with_tools = any(turn.calls or turn.result_of for turn in text.turns)
    turns = _as_conversation(text.turns) if with_tools else ()
    messages = tuple((turn.role, turn.text) for turn in _as_conversation(map(_in_words, text.turns)))
    return Context(messages, text.continuation, thought=of.thought, turns=turns)


def _render(state: JobState, of: BranchState, until: Reading | None) -> _Text:
    """A branch's context now, or as a child forked at `until` inherits it."""
    if of.reading is None:
        return _Text()
    turns = of.turns if until is None else of.turns[: until.turns]
    own = of.own if until is None or len(of.turns) == until.turns else _literal(of.turns[until.turns])
    context = _behind(_beginning(state, of, of.reading), state, turns)
    continuation = context.continuation + own
    return _Text(context.turns, continuation if until is None else continuation[: until.cursor])


def _beginning(state: JobState, of: BranchState, reading: Reading) -> _Text:
    """Messages and opening before the branch wrote anything."""
    match reading.base:
        case Base.NOTHING:
            inherited = _Text()
        case Base.PROBLEM:
            inherited = _problem(state, of.id)
        case Base.PARENT:
            inherited = _render(state, state.branches[parent_of(of.id) or TRUNK], reading)
    context = _behind(inherited, state, reading.messages)
    return replace(context, continuation=context.continuation + render_parts(state, reading.opening))


def _behind(context: _Text, state: JobState, messages: Sequence[Message]) -> _Text:
    """The context with these messages behind it. The assistant's turn stays open until a user speaks: so a last
    assistant message is continued (prefill), and a system message, which goes to the front, interrupts nothing."""
    draft = _Draft(list(context.turns), deque(filter(None, [context.continuation])))
    for message in messages:
        draft.add(message, render_parts(state, message.parts))
    return _Text(tuple(draft.turns), draft.text())


@dataclass(slots=True)
class _Draft:
    """A context that grows by one message after the other, each at the cost of its own length."""

    turns: list[Turn]
    open: deque[str]
    """The text that is continued, in pieces, none of them empty."""

    def add(self, message: Message, text: str) -> None:
        if message.role == "assistant":
            self.open.extend([text] if text else [])
            if message.calls:
                self._close(message.calls)
        elif not self.turns and self.open:
            self._add_to_prompt(message.role, text)
        else:
            self._add_to_conversation(message, text)

    def text(self) -> str:
        return "".join(self.open)

    def _close(self, calls: tuple[Call, ...] = ()) -> None:
        """Ends the turn of the assistant that is open."""
        if self.open or calls:
            self.turns.append(Turn("assistant", self.text(), calls))
            self.open.clear()

    def _add_to_conversation(self, message: Message, text: str) -> None:
        if message.role == "system":
            self.turns.append(Turn("system", text))
            return
        self._close()
        if not message.result_of:
            self.turns.append(Turn("user", text))
            return
        called = (call for turn in reversed(self.turns) for call in turn.calls)
        name = next((call.name for call in called if call.id == message.result_of), message.result_of)
        self.turns.append(Turn("tool", text, result_of=message.result_of, name=name))

    def _add_to_prompt(self, role: Role, text: str) -> None:
        """Raw text knows no turns: what a policy says in a message is a paragraph of it."""
        if role == "system":
            self.open.appendleft(f"{text}\n\n")
        else:
            self.open.append(f"\n\n{text}\n\n")


def _literal(turn: Message) -> str:
    return "".join(part for part in turn.parts if isinstance(part, str))


def _as_conversation(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """Turns as chat templates want them: one system message, at the front, and never two of a user in a row."""
    turns = tuple(turns)
    system = "\n\n".join(turn.text for turn in turns if turn.role == "system")
    merged: list[list[Turn]] = [[Turn("system", system)]] if system else []
    for turn in turns:
        if turn.role == "user" and merged and merged[-1][0].role == "user":
            merged[-1].append(turn)
        elif turn.role != "system":
            merged.append([turn])
    return tuple(replace(same[0], text="\n\n".join(turn.text for turn in same)) for same in merged)


def _in_words(turn: Turn) -> Turn:
    """The turn for engines that know neither calls nor results."""
    if turn.role == "tool":
        return Turn("user", result_in_words(turn.name, turn.text))
    return Turn(turn.role, in_words(turn.text, turn.calls)) if turn.calls else turn


def _problem(state: JobState, branch: BranchId) -> _Text:
    """The problem of the nearest enclosing policy: the job's own, or a nested job's."""
    nothing, parent = _Text(), parent_of(branch)
    while parent is not None:
        above = state.branches[parent]
        if above.policy is not None and above.id != TRUNK and above.reading is not None:
            return _behind(nothing, state, above.reading.messages)
        parent = parent_of(parent)
    spec = state.spec
    assert spec is not None
    return _Text((), spec.question) if spec.raw else _behind(nothing, state, spec.messages)


def render_parts(state: JobState, parts: Parts) -> str:
    """Literal text as it stands; outputs of branches escaped, so that what a branch wrote never reads as an action."""
    return "".join(part if isinstance(part, str) else _output(state, part) for part in parts)


def _output(state: JobState, part: Output) -> str:
    branch = state.branches[part.branch]
    if branch.ended is BranchStatus.FAILED:
        return f"[branch {branch.id} failed: {escape(branch.cause)}]"
    text = escape(
        in_words(branch.value, branch.calls) if branch.ended is BranchStatus.RETURNED else branch.own
    )
    return truncate(text, part.limit)


def truncate(text: str, limit: int | None) -> str:
    """Keep `limit` characters, half from each end, and mark the cut. None keeps all."""
    if limit is None or len(text) <= limit:
        return text
    head, tail = limit - limit // 2, limit // 2
    return text[:head] + CUT.format(n=len(text) - limit) + (text[-tail:] if tail else "")
