"""Tells in words what the branches of a job do, for clients that know reasoning and no branches."""

from anabranch.dag import events as e


def tell(event: e.Event) -> str:
    """What a person who waits wants to read of it; nothing for most events."""
    match event:
        case e.BranchForked():
            label = f": {event.label}" if event.label else ""
            return f"[{event.child}] {event.role}{label}\n"
        case e.SegmentFinished(decoded=decoded) if decoded.text or decoded.thought:
            parts = (part for part in (decoded.thought, decoded.text) if part)
            return "".join(f"[{event.branch}] {part}\n" for part in parts)
        case e.BranchesJoined():
            return f"[{event.branch}] joined {', '.join(event.joined)}\n"
        case e.BranchFailed() | e.BranchCancelled():
            return f"[{event.branch}] {'failed' if isinstance(event, e.BranchFailed) else 'cancelled'}\n"
        case _:
            return ""
