"""Decides whether a decode that failed is tried again, and when, and whether it goes on or begins anew."""

from anabranch.dag.decoding import Fault
from anabranch.dag.events import SegmentStarted
from anabranch.dag.interpreter.decode_run import DecodeRun
from anabranch.dag.limits import Limits
from anabranch.dag.vocabulary import Cause

NOT_THE_BRANCHS_FAULT = (
    Cause.ORGANIZER_LOST,
    Cause.REPLICA_DIED,
    Cause.OVERLOADED,
    Cause.UPSTREAM_AWAY,
)
"""Causes that use up no attempt beyond the limit of claims: the decode would have gone well elsewhere."""
PATIENCE = 4
"""How often such causes may repeat for each attempt allowed."""
LONGEST_BACKOFF = 10.0
"""Seconds."""
LONGEST_WAIT = 600.0
"""Seconds that one branch waits in all because it was told when to come back; until then no such try is counted, so
that limits per minute are outlived however many branches share them."""


def goes_on(started: SegmentStarted) -> bool:
    """Whether a lost decode of this segment goes on from the text that arrived. In the final thought it does, so
    that what was told of it stands. A form or a grammar cannot be entered midway."""
    return started.final and not started.structured and started.grammar is None


def allowed_tries(limits: Limits, fault: Fault) -> int:
    """How many tries a decode has when it fails by this fault."""
    return limits.attempts * (PATIENCE if fault.cause in NOT_THE_BRANCHS_FAULT else 1)


def retry_delay(limits: Limits, attempt: int, fault: Fault) -> float:
    """Seconds before the next try: as told, and never less than the backoff."""
    if fault.cause == Cause.ORGANIZER_LOST:
        return 0.0
    return max(fault.retry_after, min(limits.backoff * 2.0 ** (attempt - 1), LONGEST_BACKOFF))


def excuse_told_wait(decodes: DecodeRun, fault: Fault, delay: float) -> None:
    """Leaves the try uncounted where the fault told a time to come back and the branch has not waited too long."""
    if fault.retry_after > 0 and decodes.waited < LONGEST_WAIT:
        decodes.excused += 1
        decodes.waited += delay
