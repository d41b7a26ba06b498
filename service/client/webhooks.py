"""Describes endpoints of webhooks as the service tells them, typed."""

from collections.abc import Sequence
from datetime import datetime

from anabranch.service.client.results import Told


class Endpoint(Told):
    """Where the service calls when something becomes of a tenant's jobs and batches."""

    id: str
    url: str
    events: Sequence[str]
    """Types; empty: all."""
    status: str
    """`enabled` or `disabled`."""
    disabled_because: str | None = None
    former_secret_until: datetime | None = None
    """Until then, calls carry a second signature, by the secret before the last."""
    secret: str | None = None
    """Told when the endpoint is made, and when its secret is replaced."""


class Endpoints(Told):
    items: tuple[Endpoint, ...]


class WebhookAttempt(Told):
    """What came of calling an endpoint once."""

    status: int | None
    error: str | None
    seconds: float
