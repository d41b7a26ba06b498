"""Holds what the operator allows every job, whatever its own budget says."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from anabranch.dag.decoding import Decoded, Usage

OTHERS = "*"
"""In `Limits.prices`: all models that it does not name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Money per token."""

    prompt: float = 0.0
    completion: float = 0.0


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
    prices: Mapping[str, Price] = field(default_factory=dict)
    """Of the models that a branch may name, where not all cost the same; `OTHERS` is those that it does not name.
    Empty: all cost what the job's model does."""
    hedge: float = 0.0
    """Of a job's decodes, the share that may be started once more where they are late beside their siblings, rounded up
    to whole ones. 0: none is."""
    slowdown: float = 0.0
    """How many times as long as alone a step of the pool may take because jobs decode more than one branch, such as
    1.4; branches beyond that wait (`dag/room.py`). 0: none do."""
    final_thoughts: bool = False
    """Policies' final thoughts are marked, and what one has written stands when time is up. Not so in journals of the
    first release, which leave it out."""

    def price_of(self, model: str | None) -> Price:
        """What a segment costs that was asked of this model; None: of one that the journal does not name."""
        named = None if model is None else self.prices.get(model, self.prices.get(OTHERS))
        return named or Price(prompt=self.prompt_price, completion=self.completion_price)

    def cost(self, usage: Usage, model: str | None = None) -> float:
        """Money."""
        price = self.price_of(model)
        return usage.prompt_tokens * price.prompt + usage.completion_tokens * price.completion

    def priced(self, decoded: Decoded, model: str | None = None) -> Decoded:
        """The segment with what it cost, asked of this model; as it was where tokens cost nothing."""
        cost = self.cost(decoded.usage, model)
        return replace(decoded, cost=cost) if cost else decoded


@dataclass(slots=True)
class Reserved:
    """Tokens that are promised to decodes, by what one of them costs: sums of them do not drift as sums of money do."""

    by_price: dict[float, int] = field(default_factory=dict)

    def add(self, price: Price, tokens: int) -> None:
        """Promises so many tokens more, at this price."""
        self.by_price[price.completion] = self.by_price.get(price.completion, 0) + tokens

    @property
    def tokens(self) -> int:
        return sum(self.by_price.values())

    @property
    def cost(self) -> float:
        """Money, should all of them be decoded."""
        return sum(tokens * price for price, tokens in self.by_price.items())
