"""Counts what a job may still decode: by its tokens, by its money, and how much of that one decode gets."""

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoding
from anabranch.dag.grammars import grammar_named
from anabranch.dag.ids import BranchId
from anabranch.dag.interpreter.run import Run


def tokens_left(run: Run, model: str | None) -> int | None:
    """Tokens of this model that are neither spent nor reserved by an open segment, and can be paid for; None without a
    budget."""
    budget, state = run.spec.budget, run.state
    rooms: list[int] = []
    if budget.tokens is not None:
        rooms.append(budget.tokens - state.usage.completion_tokens - state.reserved.tokens)
    if budget.cost is not None:
        rooms += _affordable(run, budget.cost, model)
    return min(rooms, default=None)


def _affordable(run: Run, budget: float, model: str | None) -> list[int]:
    """Tokens that the rest of the money buys. What prompts cost is known, and settled, once they are read."""
    state, price = run.state, run.state.limits.price_of(model)
    left = budget - state.cost - state.reserved.cost
    if price.completion > 0:
        return [int(left / price.completion + 1e-6)]  # sums of cents are not exact
    return [] if left > 0 or not price.prompt else [0]


def allowance(run: Run, decoding: Decoding, written: int, room: int | None) -> int | None:
    """Tokens that a decode may write. Where nobody named a number: an equal share of the budget's rest for each decode
    in line, and one for the branches that it may fork while it is written; without a budget, None."""
    asked = decoding.max_tokens
    if asked is not None:
        return max(1, asked - written if room is None else min(asked - written, room))
    if room is None:
        return None
    forks = decoding.grammar is not None and grammar_named(decoding.grammar).forks
    return max(1, room // (1 + len(run.line) + forks))


def exceeded(run: Run, branch: BranchId) -> e.BudgetExceeded:
    """Which budget is used up."""
    budget, state = run.spec.budget, run.state
    tokens = state.usage.completion_tokens
    if budget.tokens is not None and budget.tokens - tokens <= 0:
        return e.BudgetExceeded(
            branch=branch, resource=e.Resource.TOKENS, limit=float(budget.tokens), spent=float(tokens)
        )
    return e.BudgetExceeded(
        branch=branch, resource=e.Resource.COST, limit=budget.cost or 0.0, spent=state.cost
    )
