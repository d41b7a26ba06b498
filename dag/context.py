"""What a branch has read and written, byte for byte, from the state alone: base by reference, then its own text."""

from anabranch.dag.actions import Ended
from anabranch.dag.grammars.escape import escape
from anabranch.dag.ids import TRUNK, BranchId, parent_of
from anabranch.dag.state import BranchState, JobState
from anabranch.dag.text import Base, Context, Message, Output, Parts, Reading, Role

CUT = "\n[… {n} characters cut …]\n"


def render(state: JobState, branch: BranchId) -> Context:
    """The context that an engine gets for this branch's next segment. All branches it refers to have ended."""
    return _render(state, state.branches[branch], None)


def _render(state: JobState, of: BranchState, until: Reading | None) -> Context:
    """A branch's context now, or as a child forked at `until` inherits it."""
    if of.reading is None:
        return Context(messages=())
    messages, opening = _beginning(state, of, of.reading)
    turns = of.turns if until is None else of.turns[: until.turns]
    own = of.own if until is None or len(of.turns) == until.turns else _literal(of.turns[until.turns])
    if turns:
        if opening and turns[0].role != "system":
            messages.append(("assistant", opening))
            opening = ""
        messages += (_message(state, turn) for turn in turns)
    continuation = opening + own
    return Context(_as_turns(messages), continuation if until is None else continuation[: until.cursor])


def _beginning(state: JobState, of: BranchState, reading: Reading) -> tuple[list[tuple[Role, str]], str]:
    """Messages and opening before the branch wrote anything."""
    match reading.base:
        case Base.NOTHING:
            inherited = Context(messages=())
        case Base.PROBLEM:
            inherited = Context(messages=tuple(_message(state, each) for each in _problem(state, of.id)))
        case Base.PARENT:
            inherited = _render(state, state.branches[parent_of(of.id) or TRUNK], reading)
    messages, continuation = list(inherited.messages), inherited.continuation
    if reading.messages and continuation:
        messages.append(("assistant", continuation))
        continuation = ""
    messages += (_message(state, message) for message in reading.messages)
    return messages, continuation + render_parts(state, reading.opening)


def _literal(turn: Message) -> str:
    return "".join(part for part in turn.parts if isinstance(part, str))


def _as_turns(messages: list[tuple[Role, str]]) -> tuple[tuple[Role, str], ...]:
    """Messages as chat templates want them: one system message, at the front, and never two of a user in a row."""
    system = "\n\n".join(text for role, text in messages if role == "system")
    turns: list[tuple[Role, str]] = [("system", system)] if system else []
    for role, text in messages:
        if role == "user" and turns and turns[-1][0] == "user":
            turns[-1] = ("user", f"{turns[-1][1]}\n\n{text}")
        elif role != "system":
            turns.append((role, text))
    return tuple(turns)


def _problem(state: JobState, branch: BranchId) -> tuple[Message, ...]:
    """The messages of the nearest enclosing policy: the job's own, or those of a nested job."""
    parent = parent_of(branch)
    while parent is not None:
        above = state.branches[parent]
        if above.policy is not None and above.id != TRUNK and above.reading is not None:
            return above.reading.messages
        parent = parent_of(parent)
    assert state.spec is not None
    return state.spec.messages


def _message(state: JobState, message: Message) -> tuple[Role, str]:
    return message.role, render_parts(state, message.parts)


def render_parts(state: JobState, parts: Parts) -> str:
    """Literal text as it stands; outputs of branches escaped, so that what a branch wrote never reads as an action."""
    return "".join(part if isinstance(part, str) else _output(state, part) for part in parts)


def _output(state: JobState, part: Output) -> str:
    branch = state.branches[part.branch]
    if branch.ended is Ended.FAILED:
        return f"[branch {branch.id} failed: {escape(branch.cause)}]"
    text = escape(branch.value if branch.ended is Ended.RETURNED else branch.own)
    return truncate(text, part.limit)


def truncate(text: str, limit: int | None) -> str:
    """Keep `limit` characters, half from each end, and mark the cut. None keeps all."""
    if limit is None or len(text) <= limit:
        return text
    head, tail = limit - limit // 2, limit // 2
    return text[:head] + CUT.format(n=len(text) - limit) + (text[-tail:] if tail else "")
