"""Signatures are those of Standard Webhooks: its official library checks them."""

import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from anabranch.service.webhooks.signing import draw_secret, read_secret, sign


def headers(secret: str, body: bytes, timestamp: int) -> dict[str, str]:
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign([secret], "msg_1", timestamp, body),
    }


def test_the_official_library_takes_what_is_signed_and_nothing_else() -> None:
    secret, body, now = draw_secret(), b'{"type":"job.completed","data":{"q":"\\u00e9"}}', int(time.time())
    signed = headers(secret, body, now)
    assert Webhook(secret).verify(body, signed)["type"] == "job.completed"
    for other in (
        (draw_secret(), body, signed),
        (secret, body + b" ", signed),
        (secret, body, signed | {"webhook-id": "msg_2"}),
        (secret, body, signed | {"webhook-timestamp": str(now + 1)}),
        (secret, body, headers(secret, body, now - 3600)),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(other[0]).verify(other[1], other[2])


def test_while_a_secret_is_replaced_receivers_with_either_take_what_is_signed() -> None:
    new, old, now = draw_secret(), draw_secret(), int(time.time())
    signature = sign([new, old], "msg_1", now, b"{}")
    assert signature.count("v1,") == 2 and signature.count(" ") == 1
    signed = {"webhook-id": "msg_1", "webhook-timestamp": str(now), "webhook-signature": signature}
    for secret in (new, old):
        assert Webhook(secret).verify(b"{}", signed) == {}


def test_secrets_are_drawn_and_read() -> None:
    assert len({draw_secret() for _ in range(3)}) == 3
    assert len(read_secret(draw_secret())) == 32


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "whsec_c2hvcnQ=", "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "whsec_???", "whsec_" + "QUFB" * 40],
)
def test_what_is_no_secret_is_refused_and_not_told(secret: str) -> None:
    with pytest.raises(ValueError, match="random bytes") as refused:
        read_secret(secret)
    assert not secret or secret == "whsec_" or secret not in str(refused.value)
