"""Names what can go wrong in `dag/`. Each says whose story it is and survives pickling."""

from anabranch.dag.ids import BranchId


class DagError(Exception):
    """Base of all errors of this package."""


class InvalidTransition(DagError):
    """An event that the transition table forbids. Nothing was changed."""

    def __init__(self, reason: str, event: object, branch: BranchId, story: tuple[str, ...]) -> None:
        super().__init__(reason, event, branch, story)
        self.reason, self.event, self.branch, self.story = reason, event, branch, story

    def __str__(self) -> str:
        told = " → ".join(self.story) or "nothing yet"
        return f"branch {self.branch}: {self.reason} ({self.event!r}). Its story so far: {told}"


class UnknownPolicy(DagError):
    """No policy has this name."""


class UnknownPreset(DagError):
    """The policy has no preset of this name."""


class BadParameters(DagError):
    """A policy's parameters make no sense together."""


class PolicyBroken(DagError):
    """A policy asked for something that no policy may ask for. A fault of its author."""


class NoAnswer(DagError):
    """A policy found nothing to answer with. The message says what was tried."""


class DecodeFailed(DagError):
    """Thrown into a policy whose own branch could not decode, after its retries."""

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(cause, detail)
        self.cause, self.detail = cause, detail

    def __str__(self) -> str:
        return f"{self.cause}: {self.detail}" if self.detail else self.cause


class Diverged(DagError):
    """A replay computed something other than what the journal holds: the policy's code has changed, or is not pure."""

    def __init__(self, seq: int, recorded: object, computed: object) -> None:
        super().__init__(seq, recorded, computed)
        self.seq, self.recorded, self.computed = seq, recorded, computed

    def __str__(self) -> str:
        return (
            f"at event {self.seq} the journal has {self.recorded!r}, the policy now gives {self.computed!r}"
        )
