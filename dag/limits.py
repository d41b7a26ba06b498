"""Holds what the operator allows every job, whatever its own budget says."""

from dataclasses import dataclass, replace

from anabranch.dag.decoding import Decoded, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    width: int = 64
    """Decodes of one job that run at once; more wait in line, the trunk first."""
    attempts: int = 3
    """Tries of one decode before its branch fails."""
    backoff: float = 0.2
    """Seconds before the second try; doubles each time, up to ten."""
    prompt_price: float = 0.0
    """Money per prompt token, of the job's model."""
    completion_price: float = 0.0
    final_thoughts: bool = False
    """Policies' final thoughts are marked, and what one has written stands when time is up. Not so in journals of the
    first release, which leave it out."""

    def cost(self, usage: Usage) -> float:
        """Money."""
        return usage.prompt_tokens * self.prompt_price + usage.completion_tokens * self.completion_price

    def priced(self, decoded: Decoded) -> Decoded:
        """The segment with what it cost; as it was where tokens cost nothing."""
        cost = self.cost(decoded.usage)
        return replace(decoded, cost=cost) if cost else decoded
