"""Computes published rewards from a finished run, for evaluation, and for training elsewhere.

Inputs are token counts of `dag/analysis/metrics.py` (T: critical path, L: all decoded) and verdicts of a verifier;
results have no unit. What a paper leaves unsaid (AsyncThink's tau, lambda and penalty) is a parameter without a
default.
"""

from collections.abc import Sequence
from statistics import fmean


def clip(value: float, ceiling: float) -> float:
    """min(value, ceiling) / ceiling: 1 from `ceiling` on, so that more concurrency than that pays nothing.

    Raises ValueError unless the ceiling is positive.
    """
    if ceiling <= 0:
        raise ValueError(f"a ceiling of {ceiling} leaves nothing to reward")
    return min(value, ceiling) / ceiling


def acceleration(critical: float, total: float) -> float:
    """1 - T/L, ThreadWeaver's acceleration ratio: 0 for a sequential run (arXiv 2512.07843, metrics; protocols 2.3)."""
    return 1.0 - critical / total if total else 0.0


# -- AsyncThink (arXiv 2510.26658, rewards; protocols.md section 1.4) ----------------------------------------------


def async_think_accuracy(correct: int, required: int = 1) -> float:
    """R_A: 0 or 1; where several solutions are asked for, min(n_c, n_s) / n_s with n_c distinct correct ones of n_s.

    Raises ValueError unless at least one is required.
    """
    if required < 1:
        raise ValueError(f"{required} solutions are required")
    return min(correct, required) / required


def async_think_concurrency(concurrency: float, capacity: int, *, tau: float) -> float:
    """R_eta = min(eta/c, tau) / tau, with eta of `concurrency.concurrency` and c agents. tau keeps the model from
    inflating concurrency; its value is not published."""
    return clip(concurrency / capacity, tau)


def async_think(
    accuracy: float, concurrency: float, *, format_errors: int, weight: float, penalty: float
) -> float:
    """R_A + lambda * R_eta; a single format error (an ActionMalformed of the organizer) makes it R_FE = `penalty`."""
    return penalty if format_errors else accuracy + weight * concurrency


# -- ThreadWeaver (arXiv 2512.07843, rewards; protocols.md section 2.4) --------------------------------------------


def thread_weaver(
    correct: bool, critical: float, total: float, *, rho: float = 0.5, clip: float = 0.2
) -> float:
    """The paper's: 1{correct} + 1{correct} * min(rho * (1 - T/L), clip). At most 1.2, from an acceleration of 0.4 on;
    nothing for a wrong answer, however fast."""
    return 1.0 + min(rho * acceleration(critical, total), clip) if correct else 0.0


def thread_weaver_released(correct: bool, critical: float, total: float, *, wrong: float = -1.0) -> float:
    """The released code's: 1 + 0.5 * min(1 - T/L, 0.2). At most 1.1, from an acceleration of 0.2 on. A wrong answer is
    -1 by its configuration (its README says 0)."""
    return 1.0 + 0.5 * min(acceleration(critical, total), 0.2) if correct else wrong


def p_grpo_advantages(rewards: Sequence[float]) -> tuple[float, ...]:
    """r - mean over the rollouts of one prompt, never divided by their standard deviation: when all are right only the
    small speed bonus differs, and the division would blow it up to unit variance (P-GRPO, arXiv 2512.07843)."""
    mean = fmean(rewards) if rewards else 0.0
    return tuple(reward - mean for reward in rewards)


# -- APR (arXiv 2504.15466, training; protocols.md section 3.4) ----------------------------------------------------


def apr(verified: bool) -> float:
    """1 if the final expression verifies, else 0: nothing for format, nothing for parallelism."""
    return 1.0 if verified else 0.0
