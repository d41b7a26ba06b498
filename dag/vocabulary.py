"""Defines the closed sets of words that events and actions are told in. Statuses have their own, in `status.py`.

Some fields of events are typed as text although only these words are written into them (`Fault.cause`,
`ForkRejected.reason`, `JobFailed.type`): an older or a newer journal may hold another word, and it stays readable as
what it says.
"""

from collections.abc import Mapping
from enum import StrEnum


class CancelledBy(StrEnum):
    """Who cancelled a branch. CLIENT and DEADLINE are facts, the rest consequences."""

    POLICY = "policy"
    CLIENT = "client"
    DEADLINE = "deadline"
    BUDGET = "budget"
    PARENT = "parent"
    """Its parent ended."""
    ANSWER = "answer"
    """The job has its answer."""


class Mode(StrEnum):
    ALL = "all"
    """Every target has ended. Results come in the order of `targets`, whatever the order of arrival."""
    FIRST = "first"
    """One target has ended, well or not. Results come in the order of arrival."""
    FIRST_K = "first-k"
    """`count` targets have returned a value (or all have ended)."""
    DEADLINE = "deadline"
    """As ALL; the name of a join with `seconds`, which any mode may have, in journals of the first release."""


class Choice(StrEnum):
    """What a person decides about a gate."""

    APPROVE = "approve"
    EDIT = "edit"
    REJECT = "reject"


class Resource(StrEnum):
    """What a budget limits and a job can use up."""

    TOKENS = "tokens"
    SECONDS = "seconds"
    COST = "cost"


class Cause(StrEnum):
    """Why a decode, or a tool's run, failed."""

    REPLICA_DIED = "replica-died"
    OVERLOADED = "overloaded"
    TIMEOUT = "timeout"
    """The engine, or the upstream, fell silent."""
    PROMPT_TOO_LONG = "prompt-too-long"
    REFUSED = "refused"
    """What was asked cannot be had; another try meets it again."""
    ENGINE_ERROR = "engine-error"
    UPSTREAM_AWAY = "upstream-away"
    UPSTREAM_DENIED = "upstream-denied"
    """The upstream sends this service away whatever it asks: it wants another key, money, another URL. The operator has
    to see to it."""
    POOL_UNAVAILABLE = "pool-unavailable"
    ORGANIZER_LOST = "organizer-lost"
    """What was decoded went with its organizer."""
    DEADLINE = "deadline"
    """The time was up, and nothing had been written."""
    TOOL_ERROR = "tool-error"
    BAD_ARGUMENTS = "bad-arguments"
    """Of a tool."""
    UNKNOWN_TOOL = "unknown-tool"


class Failure(StrEnum):
    """Why a job, or a branch that runs a policy, failed, where no decode was at fault: else its `Cause` says it."""

    NO_ANSWER = "no-answer"
    """The policy found none."""
    REJECTED = "rejected"
    """A person rejected the answer."""
    POLICY_ERROR = "policy-error"
    """The policy raised an exception."""
    POLICY_MISSING = "policy-missing"
    """The organizer that took the job over has no such policy."""
    POLICY_CHANGED = "policy-changed"
    """The policy, as it is now, would not have led to what the journal holds."""
    DIVERGED = "diverged"
    """The same policy decided otherwise in a replay."""
    POISON = "poison"
    """Computing the job has cost too many organizers."""
    ORIGIN_GONE = "origin-gone"
    """The job that it re-runs was purged."""


class ForkRefusal(StrEnum):
    """Why a child was not created."""

    WINDING_DOWN = "winding-down"
    """The job must answer soon."""
    BRANCHES = "budget:branches"
    DEPTH = "budget:depth"
    CAPACITY = "capacity"
    """Its parent has as many live children as its policy allows."""
    APPROVAL = "approval"
    """A person rejected it, or took it out."""


WHY_REFUSED: Mapping[str, str] = {
    ForkRefusal.WINDING_DOWN: "no time was left for a fork",
    ForkRefusal.BRANCHES: "its budget allows no more branches",
    ForkRefusal.DEPTH: "its budget allows no deeper fork",
    ForkRefusal.CAPACITY: "it may have no more children",
    ForkRefusal.APPROVAL: "a person rejected its fork",
}
"""Each refusal in words."""
