"""Signs webhooks: HMAC-SHA256 over id, time and body (Standard Webhooks 1.0.0, "Signature scheme")."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence

PREFIX = "whsec_"
SECRET_BYTES = 32
FEWEST_BYTES, MOST_BYTES = 24, 64


def draw_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def read_secret(secret: str) -> bytes:
    """The key that a secret is written for. Raises ValueError, which does not tell it."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not FEWEST_BYTES <= len(key) <= MOST_BYTES:
        raise ValueError(f"a secret is {PREFIX} and {FEWEST_BYTES} to {MOST_BYTES} random bytes in Base64")
    return key


def sign(by: Sequence[str], message: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: one signature for each secret, so that a receiver has time to replace its own.
    Raises ValueError."""
    signed = f"{message}.{timestamp}.".encode() + body
    return " ".join(_signature(secret, signed) for secret in by)


def _signature(secret: str, signed: bytes) -> str:
    digest = hmac.new(read_secret(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
