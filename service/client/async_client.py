"""Calls the service from Python, asynchronously: each method carries the same steps out as `Client`, on asyncio."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Literal, Self, TypeVar, Unpack, overload

import httpx

from anabranch.service.client import calls
from anabranch.service.client.batches import Batch
from anabranch.service.client.calls import JobFields, JobFilters, WhichText
from anabranch.service.client.evaluations import Evaluation, EvaluationSummary, Trial
from anabranch.service.client.http import away, client_options, head_of, request_options
from anabranch.service.client.journals import Audit, Branch, Graph
from anabranch.service.client.policies import PolicyInfo
from anabranch.service.client.results import Approval, Event, Job, Text
from anabranch.service.client.steps import (
    Done,
    Effect,
    Give,
    Open,
    Outcome,
    Pause,
    Read,
    Send,
    Steps,
    Wire,
    advance,
)
from anabranch.service.client.webhooks import Endpoint, WebhookAttempt

T = TypeVar("T")


class AsyncClient:
    """One service, at `url`. `key` is a tenant's; `timeout` is how long one answer may take, and `retry_seconds` how
    long the service may be away, or refuse with 429 or 503, until that is told: all in seconds.

    Raises, from each method: ServiceAway; ServiceRefused, of a kind for each status, with the problem document;
    UnreadableReply; and BadJson for what no service takes (nothing is sent then).
    """

    def __init__(
        self, url: str, *, key: str | None = None, timeout: float = 30.0, retry_seconds: float = 60.0
    ) -> None:
        self.url = url.rstrip("/")
        self._timeout = timeout
        self._http = httpx.AsyncClient(**client_options(self.url, key))
        self._wire = Wire(self.url, retry_seconds, time.monotonic)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    # -- jobs

    async def submit(
        self,
        question: str | None = None,
        *,
        idempotency_key: str | None = None,
        **fields: Unpack[JobFields],
    ) -> Job:
        """The accepted job. It is durable: the service may go, and another will run it. However often this has to be
        tried, it is one job; with a key of your own, also over restarts of your program."""
        return await self._run(self._wire.call(calls.submit(question, fields, idempotency_key)))

    async def get(self, job: str) -> Job:
        """The job as it is now."""
        return await self._run(self._wire.call(calls.get(job)))

    async def wait(self, job: str, *, timeout: float | None = None) -> Job:
        """The job when it has ended, however long that takes, or JobNotEnded after `timeout` seconds."""
        return await self._run(self._wire.wait(job, timeout))

    def list(self, *, limit: int | None = None, **filters: Unpack[JobFilters]) -> AsyncIterator[Job]:
        """Jobs, newest first, page by page: all of them that the filters leave, or the first `limit`."""
        return self._give(self._wire.jobs(filters, limit))

    async def cancel(self, job: str) -> Job:
        """Asks that a job stops; one that has ended stays as it is."""
        return await self._run(self._wire.call(calls.cancel(job)))

    async def replay(self, job: str, *, branch: str, output: str) -> Job:
        """A new job that reuses all that does not depend on the edited branch."""
        return await self._run(self._wire.call(calls.replay(job, branch, output)))

    # -- what happens

    @overload
    def follow(self, job: str, *, after: int = 0, text: None = None) -> AsyncIterator[Event]: ...
    @overload
    def follow(self, job: str, *, after: int = 0, text: WhichText) -> AsyncIterator[Event | Text]: ...
    def follow(self, job: str, *, after: int = 0, text: WhichText | None = None) -> AsyncIterator[Any]:
        """The job's events behind event `after`, live, until its last one; with `text`, between them the text of the
        answer, or of all branches, as it is decoded. A stream that breaks is resumed: nothing is missed or repeated."""
        return self._give(self._wire.follow(job, after, text))

    def text(self, job: str, *, of: WhichText = "answer") -> AsyncIterator[Text]:
        """The text of the answer, or of all branches, as it is decoded."""
        return (item async for item in self.follow(job, text=of) if isinstance(item, Text))

    def events(self, job: str, *, after: int = 0) -> AsyncIterator[Event]:
        """The events that are there now, page by page."""
        return self._give(self._wire.events(job, after))

    # -- what is derived from a job's journal

    async def graph(self, job: str) -> Graph:
        """The reasoning graph as it is now, both critical paths marked."""
        return await self._run(self._wire.call(calls.graph(job)))

    async def branch(self, job: str, branch: str, *, segment: int = 1) -> Branch:
        """One branch inside out; its context is the one of this segment."""
        return await self._run(self._wire.call(calls.branch(job, branch, segment)))

    async def audit(self, job: str) -> Audit:
        """Whether the journal is as it was written."""
        return await self._run(self._wire.call(calls.audit(job)))

    def export(self, job: str, form: str) -> AsyncIterator[str]:
        """The journal in a form for other tools, in pieces of text."""
        return self._give(self._wire.export(job, form))

    # -- evaluations

    async def evaluations(self) -> tuple[EvaluationSummary, ...]:
        """The newest evaluations."""
        return await self._run(self._wire.call(calls.evaluations()))

    async def evaluation(self, run: str) -> Evaluation:
        """An evaluation as far as it has been judged: its table, its differences, its trials."""
        return await self._run(self._wire.call(calls.evaluation(run)))

    async def create_evaluation(self, run: str, design: Mapping[str, Any]) -> EvaluationSummary:
        """Keeps what an evaluation compares (`EvaluationRequest` of the service's `/docs`)."""
        return await self._run(self._wire.call(calls.create_evaluation(run, dict(design))))

    async def judge(
        self, run: str, *, task: str, arm: str, job: str, score: float, detail: str = ""
    ) -> Trial:
        """Keeps the verdict on the answer of an ended job: a trial of the evaluation."""
        return await self._run(self._wire.call(calls.judge(run, task, arm, job, score, detail)))

    # -- batches

    async def submit_batch(
        self, lines: bytes, *, window: str = "24h", idempotency_key: str | None = None
    ) -> Batch:
        """A batch of lines of JSON: a job in each, as `submit` sends it, or a request of OpenAI's Batch API. All lines
        are checked before any is taken. However often this has to be tried, it is one batch."""
        return await self._run(self._wire.call(calls.submit_batch(lines, window, idempotency_key)))

    async def batch(self, batch: str) -> Batch:
        """The batch as it is now."""
        return await self._run(self._wire.call(calls.batch(batch)))

    async def cancel_batch(self, batch: str) -> Batch:
        """Asks that a batch stops: what has not ended is cancelled."""
        return await self._run(self._wire.call(calls.cancel_batch(batch)))

    def batch_results(self, batch: str) -> AsyncIterator[str]:
        """What came of its lines, in their order, as lines of JSON in pieces of text."""
        return self._give(self._wire.batch_results(batch))

    # -- webhooks

    async def add_webhook(self, url: str, *, events: Sequence[str] = ()) -> Endpoint:
        """An endpoint that hears of all jobs and batches of the tenant; its secret is told this once."""
        return await self._run(self._wire.call(calls.add_webhook(url, events)))

    async def webhooks(self) -> tuple[Endpoint, ...]:
        """The endpoints, without their secrets."""
        return await self._run(self._wire.call(calls.webhooks()))

    async def rotate_webhook(self, endpoint: str, *, overlap_seconds: float = 86_400.0) -> Endpoint:
        """A new secret, told this once; for so long calls are signed with the old one, too."""
        return await self._run(self._wire.call(calls.rotate_webhook(endpoint, overlap_seconds)))

    async def test_webhook(self, endpoint: str) -> WebhookAttempt:
        """Calls an endpoint now, once."""
        return await self._run(self._wire.call(calls.test_webhook(endpoint)))

    async def enable_webhook(self, endpoint: str) -> Endpoint:
        """Lets an endpoint that was disabled hear of what happens from now on."""
        return await self._run(self._wire.call(calls.enable_webhook(endpoint)))

    # -- people, and the service

    async def approvals(self, *, status: Literal["pending", "decided"] = "pending") -> tuple[Approval, ...]:
        """The gates where jobs wait for a person, oldest first; or those that are decided, newest first."""
        return await self._run(self._wire.approvals(status))

    async def decide(
        self,
        approval: str,
        decision: Literal["approve", "edit", "reject"],
        *,
        edit: str | None = None,
        reason: str = "",
    ) -> Approval:
        """Decides at a gate. The first decision stands: a second one is a Conflict."""
        return await self._run(self._wire.call(calls.decide(approval, decision, edit, reason)))

    async def policies(self) -> tuple[PolicyInfo, ...]:
        """The policies, each with its source and the JSON Schema of its parameters."""
        return await self._run(self._wire.call(calls.policies()))

    async def ready(self) -> bool:
        """Whether a job can be answered now."""
        return await self._run(self._wire.ready())

    # -- carrying steps out

    async def _run(self, steps: Steps[T]) -> T:
        async with _Carrier(self._http, self.url, self._timeout) as carrier:
            outcome: Outcome = None
            while not isinstance(effect := advance(steps, outcome), Done):
                outcome = await carrier.carry_out(effect)
            return effect.value

    async def _give(self, steps: Steps[None]) -> AsyncIterator[Any]:
        async with _Carrier(self._http, self.url, self._timeout) as carrier:
            outcome: Outcome = None
            while not isinstance(effect := advance(steps, outcome), Done):
                if isinstance(effect, Give):
                    yield effect.value
                    outcome = None
                else:
                    outcome = await carrier.carry_out(effect)


class _Carrier:
    """Does what one run of steps asks for. At most one stream is open."""

    def __init__(self, http: httpx.AsyncClient, url: str, timeout: float) -> None:
        self._http, self._url, self._timeout = http, url, timeout
        self._opened = AsyncExitStack()
        self._arriving: AsyncIterator[bytes] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()

    async def carry_out(self, effect: Effect) -> Outcome:
        try:
            match effect:
                case Send(request):
                    async with self._http.stream(**request_options(request, self._timeout)) as response:
                        return head_of(response, await response.aread())
                case Open():
                    return await self._open(effect)
                case Read():
                    return await anext(self._arriving, None) if self._arriving else None
                case Pause(seconds):
                    await asyncio.sleep(seconds)
                    return None
                case Give():
                    raise AssertionError("whoever carries steps out gives their values himself")
        except httpx.TransportError as error:
            return away(self._url, error)

    async def _open(self, effect: Open) -> Outcome:
        await self._opened.aclose()
        asked = self._http.stream(**request_options(effect.request, self._timeout, streamed=True))
        response = await self._opened.enter_async_context(asked)
        self._arriving = response.aiter_bytes()
        return head_of(response) if response.is_success else head_of(response, await response.aread())
