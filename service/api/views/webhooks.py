"""Reads what a client says of webhooks: where they go, what they tell, and how they are signed."""

import hashlib
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, SecretStr, field_serializer

from anabranch.service.api.problems import Fault, bad_input
from anabranch.service.api.views.fields import Sent
from anabranch.service.settings import Settings
from anabranch.service.store.webhooks.rows import NewWebhook
from anabranch.service.webhooks.signing import read_secret
from anabranch.service.webhooks.targets import TargetRefused, check_url, read_networks

JobEvent = Literal["job.started", "job.awaiting_approval", "job.completed", "job.failed", "job.cancelled"]
EventType = Literal[
    "job.started",
    "job.awaiting_approval",
    "job.completed",
    "job.failed",
    "job.cancelled",
    "batch.completed",
    "batch.cancelled",
    "batch.expired",
]
URL: str = Field(
    description="https, and public, unless the operator allows others.", examples=["https://example.com/hook"]
)
EVENTS: Any = Field(default=[], max_length=20, description="Of what it hears. Left out: of all.")
LONGEST_OVERLAP = 7 * 24 * 3600.0


class EndpointRequest(Sent):
    """An endpoint for all jobs of the tenant."""

    url: str = URL
    events: list[EventType] = EVENTS


class RotateRequest(Sent):
    """A new secret for an endpoint."""

    overlap_seconds: float = Field(
        default=24 * 3600.0, ge=0, le=LONGEST_OVERLAP, description="For so long the old one signs, too."
    )


class SentWebhook(Sent):
    """An endpoint for one job."""

    url: str = URL
    secret: SecretStr = Field(
        description="What it is signed with: `whsec_` and 24 to 64 random bytes in Base64. It is never told again."
    )
    events: list[JobEvent] = EVENTS

    @field_serializer("secret")
    def _told(self, secret: SecretStr) -> str:
        """Tells two secrets apart (`new_jobs.digest_of`), and neither of them."""
        return hashlib.sha256(secret.get_secret_value().encode()).hexdigest()

    def as_new(self, settings: Settings) -> NewWebhook:
        """Raises Refused."""
        secret = self.secret.get_secret_value()
        try:
            read_secret(secret)
        except ValueError as error:
            raise bad_input([Fault(path="webhook.secret", message=str(error))]) from error
        return new_webhook(self.url, secret, self.events, settings, "webhook.url")


def new_webhook(url: str, secret: str, events: Sequence[str], settings: Settings, where: str) -> NewWebhook:
    """Raises Refused for a URL to which nothing may be sent; `where` is its place in the body."""
    try:
        check_url(url, read_networks(settings.webhook_networks))
    except TargetRefused as refusal:
        raise bad_input([Fault(path=where, message=str(refusal))]) from refusal
    return NewWebhook(url=url, secret=secret, events=tuple(dict.fromkeys(events)))
