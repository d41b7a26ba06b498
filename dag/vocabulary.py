"""The closed sets of words that events and actions are told in. Statuses have their own, in `status.py`."""

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
    """All have ended, or `seconds` have passed since the join was asked for."""


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
