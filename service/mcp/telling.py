"""Tells in words what happens to a job, for the progress of an MCP call: short, and hardly any of a model's text."""

from anabranch.client import Event

LONGEST = 120
"""Characters of a label; the rest is told by the job's page."""


def describe(event: Event) -> str:
    """What a person who waits wants to read of it; nothing for most events."""
    told = event.payload
    match event.kind:
        case "BranchForked":
            label = _begin(told.get("label"))
            return f"{told.get('child')} forked: {_begin(told.get('role'))}" + (f", {label}" if label else "")
        case "SegmentFinished":
            usage = (told.get("decoded") or {}).get("usage") or {}
            return f"{event.branch} decoded {usage.get('completion_tokens', 0)} tokens"
        case "BranchesJoined":
            return f"{event.branch} joined {_begin(', '.join(map(str, told.get('joined') or ())))}"
        case "BranchesVoted":
            return f"{event.branch} voted"
        case "ApprovalRequested":
            return f"{event.branch} waits for a person"
        case "BranchFailed":
            return f"{event.branch} failed: {_begin(told.get('cause'))}"
        case "BranchRetried":
            return f"{event.branch} is tried again"
        case "BudgetExceeded":
            return "a budget is spent: what there is becomes the answer"
        case "AnswerCommitted":
            return "the answer is there"
        case _:
            return ""


def _begin(value: object) -> str:
    """The beginning of a text, in one line."""
    words = " ".join(str(value or "").split())
    return words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"
