"""Joins the model calls of a branch into trajectories: one text that grows, with the places where the model wrote.

A trajectory is a run of calls of one branch, each of which is sent all that the one before was sent and wrote, and
perhaps more: a spliced result, another turn. Where the runtime took something back, or the branch began anew, the next
trajectory begins. Whatever lies in no span was written by others: a trainer masks it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from anabranch.dag.ids import BranchId
from anabranch.dag.text import Context
from anabranch.dag.training.model_calls import ModelCall


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call wrote: characters `start` to `end` of a message's text; of a raw prompt, of the one text."""

    message: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    branch: BranchId
    calls: tuple[ModelCall, ...]
    """Not empty."""

    @property
    def raw(self) -> bool:
        return self.calls[0].context.raw

    @property
    def messages(self) -> tuple[tuple[str, str], ...]:
        """The whole conversation, as roles and texts, the model's last words included; of a raw prompt, one text of the
        assistant."""
        last = self.calls[-1]
        return (*last.context.messages, ("assistant", last.context.continuation + last.text))

    def places(self) -> tuple[Place, ...]:
        """Where each call wrote, in order."""
        return tuple(
            Place(
                len(context.messages), len(context.continuation), len(context.continuation) + len(call.text)
            )
            for call in self.calls
            for context in [call.context]
        )


def trajectories(calls: Iterable[ModelCall]) -> Iterator[Trajectory]:
    """The trajectories of a job's calls, which come in the order in which they ended; by branch, then in order."""
    by_branch = dict[BranchId, list[list[ModelCall]]]()
    for call in calls:
        runs = by_branch.setdefault(call.branch, [])
        if runs and _goes_on(runs[-1][-1], call.context):
            runs[-1].append(call)
        else:
            runs.append([call])
    for branch, runs in by_branch.items():
        for run in runs:
            yield Trajectory(branch=branch, calls=tuple(run))


def _goes_on(before: ModelCall, context: Context) -> bool:
    """Whether what is sent begins with all that the call before was sent and wrote."""
    sent, written = before.context.messages, before.context.continuation + before.text
    if context.messages == sent:
        return context.continuation.startswith(written)
    if before.context.raw or context.messages[: len(sent)] != sent:
        return False
    role, text = context.messages[len(sent)]
    return role == "assistant" and text.startswith(written)
