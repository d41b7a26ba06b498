"""Sends a webhook once: to a place that was judged, signed, within a time."""

import asyncio
import logging
import ssl
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from urllib.parse import urlsplit

import httpcore

from anabranch.service.store.webhooks.deliveries import Attempt, Taken
from anabranch.service.webhooks.signing import sign
from anabranch.service.webhooks.targets import CheckedNetwork, Networks, TargetRefused, check_url

ATTEMPT_SECONDS = 15.0
LONGEST_ERROR = 200
LONGEST_ASKED = 3600.0
"""Seconds for which a receiver may ask to be left alone (Retry-After) beyond the pause."""
logger = logging.getLogger(__name__)


class Sender:
    """Calls receivers. `allowed` are the private networks that may be called."""

    def __init__(self, allowed: Networks = (), seconds: float = ATTEMPT_SECONDS) -> None:
        self._allowed = allowed
        self._seconds = seconds
        self._tls = ssl.create_default_context()

    async def attempt(self, taken: Taken) -> tuple[Attempt, float]:
        """Sends it once; says what came of it, and how long the receiver wants to be left alone."""
        at, begun = datetime.now(UTC), time.monotonic()
        status: int | None = None
        error: str | None = None
        asked = 0.0
        try:
            async with asyncio.timeout(self._seconds):
                status, asked = await self._send(taken)
            if not 200 <= status < 300:
                error = f"it answered {status}"
        except TargetRefused as refusal:
            error = f"refused: {refusal}"
        except TimeoutError:
            error = f"no answer within {self._seconds:g} s"
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as failure:
            error = f"{type(failure).__name__}: {failure}"
        except Exception as failure:
            # Whatever it is, it counts as an attempt: or else the delivery would be tried without a pause, for ever.
            logger.exception("a webhook could not be sent; this attempt has failed")
            error = f"{type(failure).__name__}: {failure}"
        told = error and error[:LONGEST_ERROR]
        seconds = time.monotonic() - begun
        return Attempt(number=taken.attempt, at=at, status=status, error=told, seconds=seconds), asked

    async def _send(self, taken: Taken) -> tuple[int, float]:
        """Gives the answer's status, and its Retry-After. Of its body nothing is read."""
        check_url(taken.url, self._allowed)
        body, timestamp = taken.body.encode(), int(time.time())
        headers = {
            "content-type": "application/json",
            "user-agent": f"Anabranch/{version('anabranch')}",
            "webhook-id": taken.message,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(taken.secrets, taken.message, timestamp, body),
        }
        network = CheckedNetwork(self._allowed, plain=urlsplit(taken.url).scheme == "http")
        async with (
            httpcore.AsyncConnectionPool(ssl_context=self._tls, network_backend=network) as connection,
            connection.stream("POST", taken.url, headers=list(headers.items()), content=body) as response,
        ):
            return response.status, _retry_after(response.headers)


def _retry_after(headers: Sequence[tuple[bytes, bytes]]) -> float:
    """In seconds; of the other form, a date, nothing is made."""
    told = next((value for name, value in headers if name.lower() == b"retry-after"), b"")
    return min(float(told), LONGEST_ASKED) if told.isdigit() and len(told) < 9 else 0.0
