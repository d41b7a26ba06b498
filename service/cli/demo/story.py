"""Tells what happens to a job, one plain line an event. All that is said stands in the event."""

from collections.abc import Mapping
from typing import Any

from anabranch.client import Event
from anabranch.service.cli.output import printable

LONGEST = 60
"""Characters that are shown of a text that somebody wrote."""
BUDGET = "budget:"
"""How the reason of a refused fork begins where the job's budget is it."""


def tell(event: Event) -> str | None:
    """The line of an event; None for one that goes without saying."""
    of = event.payload
    match event.kind:
        case "JobClaimed" if event.epoch == 1:
            return f"organizer {of['owner']} takes the job"
        case "JobClaimed":
            return f"organizer {of['owner']} takes it over, and goes on behind event {event.seq - 1}"
        case "BranchForked":
            behind = f", behind {', '.join(of['after'])}" if of.get("after") else ""
            label = f": {short(of['label'])}" if of.get("label") else ""
            return f"branch {of['child']} ({of['role']}) is forked{behind}{label}"
        case "ForkRejected":
            return f"a branch is refused: {_reason(of['reason'])}"
        case "SegmentFinished":
            return _decoded(event.branch, of["decoded"])
        case "BranchReturned" if event.branch != "0":
            return f"branch {event.branch} returns: {short(of['value'])}"
        case "BranchFailed":
            return f"branch {event.branch} fails: {short(of['cause'])}"
        case "BranchesVoted":
            votes = (f"{short(one['answer'])}: {len(one['branches'])}" for one in of["classes"])
            return f"votes are counted: {'; '.join(votes)}"
        case "AnswerCommitted":
            return f"the answer: {short(of['text'])}"
        case "JobSucceeded":
            return "the job has succeeded"
        case "JobFailed":
            return f"the job has failed: {short(of['title'])}"
        case _:
            return None


def _reason(told: str) -> str:
    return (
        f"the job's budget of {told.removeprefix(BUDGET)} is spent"
        if told.startswith(BUDGET)
        else short(told)
    )


def _decoded(branch: str, decoded: Mapping[str, Any]) -> str | None:
    """Of a re-run: where a branch's text is from, if it was not decoded again."""
    origin = decoded.get("recalled_from")
    if not origin:
        return None
    if decoded.get("engine") == "edit":
        return f"branch {branch} says what a person made of it"
    return f"branch {branch} is not decoded again: it is taken from job …{origin[-6:]}"


def short(text: str) -> str:
    """The beginning of a text, in one line."""
    line = " ".join(printable(text).split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
