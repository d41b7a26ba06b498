"""Shows what stands behind a gate: the branches that a fork would start, and what the job may still spend.

The journal holds the gate's subject only, a line for each branch. What else there is to know the policy says: it is run
again from the journal, as an organizer would that takes the job over, and asked what waits.
"""

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, Field

from anabranch.dag import actions as a
from anabranch.dag.errors import Diverged, UnknownPolicy
from anabranch.dag.events import Record
from anabranch.dag.journal.replay import replay
from anabranch.dag.text import Parts
from anabranch.service.store.rows import JobRow


class AskedMessage(BaseModel):
    role: str
    content: str


class AskedChild(BaseModel):
    """A branch that is not there yet."""

    role: str
    label: str
    reads: str = Field(description="What it inherits before its own messages: nothing, problem, or parent.")
    messages: list[AskedMessage]
    opening: str = Field(description="How its turn begins.")
    after: list[str] = Field(description="Branches that must end first.")
    policy: str | None = Field(description="Of a child that is an organization of its own.")
    tool: str | None
    model: str | None
    max_tokens: int | None = Field(description="Null: what the job's sampling and its budget leave.")


class BudgetLeft(BaseModel):
    resource: str
    limit: float
    spent: float


def children_asked(records: Sequence[Record], approval: int) -> list[AskedChild] | None:
    """The branches that wait at this gate; None where others wait, or the policy is another one by now."""
    if not records:
        return None
    try:
        parked = replay(records).parked_at(approval)
    except (Diverged, UnknownPolicy):
        return None
    match None if parked is None else parked.action:
        case a.Fork(children=children):
            return [_child(child) for child in children]
        case a.Merge(child=child):
            return [_child(child)]
        case _:
            return None


def budget_left(job: JobRow, branches: int, now: datetime) -> list[BudgetLeft]:
    """What is limited. Of depth, and of one branch's time, nothing is spent by the job."""
    budget = job.spec.budget
    seconds = (now - job.started_at).total_seconds() if job.started_at else 0.0
    spent: list[tuple[str, float | None, float]] = [
        ("tokens", budget.tokens, job.usage.completion_tokens),
        ("seconds", budget.seconds, seconds),
        ("branches", budget.branches, branches),
        ("cost", budget.cost, job.cost),
    ]
    return [
        BudgetLeft(resource=resource, limit=limit, spent=used)
        for resource, limit, used in spent
        if limit is not None
    ]


def _child(child: a.Child) -> AskedChild:
    messages = () if isinstance(child, a.ToolCall) else child.messages
    opening = child.opening if isinstance(child, a.Thought | a.SubPolicy) else ()
    return AskedChild(
        role=child.role,
        label=child.label,
        reads=child.base.value if isinstance(child, a.Thought | a.SubPolicy) else "nothing",
        messages=[AskedMessage(role=message.role, content=_text(message.parts)) for message in messages],
        opening=_text(opening),
        after=list(child.after),
        policy=child.policy if isinstance(child, a.SubJob) else None,
        tool=child.tool if isinstance(child, a.ToolCall) else None,
        model=None if isinstance(child, a.ToolCall) else child.model,
        max_tokens=child.decoding.max_tokens if isinstance(child, a.Thought) else None,
    )


def _text(parts: Parts) -> str:
    """Text, with what other branches gave named where it will stand."""
    return "".join(part if isinstance(part, str) else f"[what {part.branch} returned]" for part in parts)
