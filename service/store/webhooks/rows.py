"""Defines what a new endpoint of webhooks is made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWebhook:
    """An endpoint that is to hear of jobs."""

    url: str = field(repr=False)
    secret: str = field(repr=False)
    """What its calls are signed with."""
    events: Sequence[str] = ()
    """Types; all where none is named."""
