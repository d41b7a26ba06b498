"""Reaches the worker pool through Ray Serve: one streaming call per replica that a batch of requests lands on."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from contextvars import Context
from dataclasses import replace
from typing import Any
from uuid import uuid4

from ray.exceptions import RayActorError, RayError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError, RayServeException

from anabranch.dag.decoding import Fault, Finish
from anabranch.dag.room import StepFit, Streams
from anabranch.dag.vocabulary import Cause
from anabranch.workers.cluster.ray_private import ask_every_replica, open_handle, shutdown_handle
from anabranch.workers.messages import DecodeRequest, Key
from anabranch.workers.pool.deployment import deployment_name, pool_name
from anabranch.workers.pool.in_flight import InFlightCall
from anabranch.workers.pool.placement import Placement
from anabranch.workers.pool.protocol import Deliver, PoolLoad
from anabranch.workers.pool.replica_call import LEFT_SECONDS, ReplicaCall, stalled
from anabranch.workers.pool.replica_loads import ReplicaLoads
from anabranch.workers.pool.replica_registry import subscribe, unsubscribe
from anabranch.workers.replica.batcher import SIGN_SECONDS
from anabranch.workers.replica.replica import ReplicaState
from anabranch.workers.settings import DEFAULT_POOL

logger = logging.getLogger(__name__)

SILENCE_SECONDS = 5.0
"""Five signs of life that did not come: a replica that is merely busy sends one late, not none."""

SUSPECT_SECONDS = 2.0
"""For how long nothing new goes to a replica that broke a call, or stalls: twice the period of its health check, after
which Serve has either replaced it or found it well."""


class ServePool:
    """A `Pool` over the deployment of `worker_pool`. Made on the event loop that uses it; many organizers may have one
    each over the same deployment.

    Requests wait here while there is no replica. A replica that dies, or falls silent, leaves its decodes a last
    SegmentDone with fault `replica-died`; only the organizer knows what a second try may cost.
    """

    def __init__(
        self,
        app: str,
        pool: str = DEFAULT_POOL,
        *,
        placement: Placement | None = None,
        silence_seconds: float = SILENCE_SECONDS,
        handle: Any = None,
    ) -> None:
        """A call that is silent for `silence_seconds` is given up. `handle` is Serve's own unless one is given."""
        self.app = app
        self.state = ""
        """What decodes wait for while there is no replica, as whoever watches its start has found (`starting.py`)."""
        self._loop = asyncio.get_running_loop()
        self._placement = placement or Placement()
        self._places: Mapping[str, int] = {}
        self._known = ReplicaLoads()
        self._suspects: set[str] = set()
        self._silent: set[str] = set()
        self._waiting: list[InFlightCall] = []
        self._calls: set[ReplicaCall] = set()
        self._silence = silence_seconds
        self._listening: asyncio.Task[None] | None = None
        self._call_of: dict[Key, ReplicaCall] = {}
        self._errands: set[asyncio.Task[None]] = set()
        self._name = pool_name(app, pool)
        self._caller = uuid4().hex
        subscribe(self._name, self._on_replicas)
        handle = open_handle(deployment_name(pool), app) if handle is None else handle
        self._handle: Any = handle.options(request_serialization="pickle", response_serialization="pickle")

    def start(self, requests: Sequence[DecodeRequest], deliver: Deliver) -> None:
        self._send(InFlightCall(requests, deliver))

    def abort(self, keys: Sequence[Key]) -> None:
        for flight in self._waiting:
            flight.end([key for key in keys if key in flight], Finish.ABORT, replica="")
        self._waiting = [flight for flight in self._waiting if flight]
        for call in {self._call_of[key] for key in keys if key in self._call_of}:
            call.to_abort.update(key for key in keys if key in call.flight)
            if call.accepted:
                self._pass_aborts_on(call)

    def elsewhere(self, key: Key) -> bool:
        call = self._call_of.get(key)
        return call is not None and bool(self._loads().keys() - {call.replica})

    def load(self) -> PoolLoad:
        calls = sum(len(call.flight) for call in self._calls)
        waiting = sum(len(flight) for flight in self._waiting)
        return PoolLoad(
            replicas=len(self._places),
            decoding=calls + waiting,
            capacity=sum(self._places.values()),
            waiting=waiting,
            state="" if self._places else self.state,
        )

    def streams(self, model: str | None) -> tuple[Streams, StepFit]:  # noqa: ARG002
        load = self.load()
        streams = load.decoding + self._known.others
        return Streams(streams=streams, capacity=load.capacity, replicas=load.replicas), self._known.step

    @property
    def replicas(self) -> frozenset[str]:
        """Ids of the replicas that are known to serve."""
        return frozenset(self._places)

    async def describe(self) -> tuple[ReplicaState, ...]:
        """Asks every replica there is: one call each."""
        states = await ask_every_replica(self._handle, "describe", replica="")
        return tuple(state for state in states if isinstance(state, ReplicaState))

    async def close(self) -> None:
        """Lets go of all calls, with no last messages; the replicas abort what they were decoding for this pool."""
        unsubscribe(self._name, self._on_replicas)
        self._waiting.clear()
        tasks = [*(call.task for call in self._calls if call.task is not None), *self._errands]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await shutdown_handle(self._handle)

    # -- where calls go

    def _send(self, flight: InFlightCall) -> None:
        loads = self._loads()
        for request in flight.open:
            if request.key.copy and (beside := self._call_of.get(replace(request.key, copy=0))):
                loads.pop(beside.replica, None)
        if not loads:
            self._waiting.append(flight)
            return
        for replica, requests in self._placement.place(flight.open, loads).items():
            self._depart(ReplicaCall(replica, InFlightCall(requests, flight.deliver), self._loop.time()))

    def _loads(self) -> dict[str, int]:
        loads = dict.fromkeys(self._places.keys() - self._suspects - self._silent, 0)
        for call in self._calls:
            if call.replica in loads:
                loads[call.replica] += len(call.flight)
        return loads

    def _own(self, replica: str) -> int:
        return sum(len(call.flight) for call in self._calls if call.replica == replica)

    def _on_replicas(self, places: Mapping[str, int], died: frozenset[str]) -> None:
        self._loop.call_soon_threadsafe(self._learn, places, died)

    def _learn(self, places: Mapping[str, int], died: frozenset[str] = frozenset()) -> None:
        self._places = places
        self._placement.keep_only(places)
        self._known.keep_only(places)
        for call in tuple(self._calls):
            if call.replica in died:
                call.give_up("died")
        self._end_silent_calls()
        self._send_waiting()

    def _suspect(self, replica: str) -> None:
        self._suspects.add(replica)
        self._loop.call_later(SUSPECT_SECONDS, self._trust_again, replica)

    def _trust_again(self, replica: str) -> None:
        self._suspects.discard(replica)
        self._send_waiting()

    def _send_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for flight in waiting:
            self._send(flight)

    # -- a call and what becomes of it

    def _depart(self, call: ReplicaCall) -> None:
        call.task = self._apart(self._travel(call))
        self._calls.add(call)
        self._call_of.update((request.key, call) for request in call.requests)
        if self._listening is None or self._listening.done():
            self._listening = self._go(self._listen())

    async def _listen(self) -> None:
        """Ends silent calls, as long as there are calls. Where this loop was held itself, what has arrived meanwhile is
        read before anything is called silence."""
        every = LEFT_SECONDS / 3
        while self._calls:
            due = self._loop.time() + every
            await asyncio.sleep(every)
            if self._loop.time() < due + every:
                self._end_silent_calls()

    def _end_silent_calls(self) -> None:
        for call in tuple(self._calls):
            silent = self._loop.time() - call.heard_at
            if call.replica not in self._places and silent > LEFT_SECONDS:
                call.give_up("has left the pool")
            elif silent > self._silence:
                call.give_up(f"gave no sign of life for {self._silence:g} s")
                self._suspect_until_it_answers(call.replica)

    def _suspect_until_it_answers(self, replica: str) -> None:
        """Nothing new goes to a replica that fell silent: it would look idle, and draw all that comes."""
        if replica not in self._silent:
            self._silent.add(replica)
            self._go(self._ask_until_it_answers(replica))

    async def _ask_until_it_answers(self, replica: str) -> None:
        ask = self._handle.options(method_name="describe")
        while replica in self._places:
            try:
                async with asyncio.timeout(self._silence):
                    state: ReplicaState = await ask.remote(replica=replica)
            except (TimeoutError, RayError, RayServeException) as error:
                logger.info("replica %s does not answer: %r", replica, error)
            else:
                if state.replica == replica:
                    break
            await asyncio.sleep(SIGN_SECONDS)
        self._silent.discard(replica)
        self._send_waiting()

    async def _travel(self, call: ReplicaCall) -> None:
        try:
            fault = await self._follow(call)
            call.flight.end(call.flight.keys, Finish.ERROR, replica=call.replica, fault=fault)
        finally:
            self._calls.discard(call)
            for request in call.requests:
                if self._call_of.get(request.key) is call:
                    del self._call_of[request.key]

    async def _follow(self, call: ReplicaCall) -> Fault:
        """Delivers the call's messages. Returns why it ended, for the decodes that had not."""
        stream = self._handle.options(stream=True, method_name="decode")
        batches = stream.remote(call.requests, replica=call.replica, caller=self._caller)
        try:
            async for batch in batches:
                call.heard_at = self._loop.time()
                if not call.accepted:
                    call.accepted = True
                    call.replica = batch.replica  # another one, where the one it was sent to had gone
                    self._pass_aborts_on(call)
                self._known.note(batch, self._own, call.heard_at)
                self._placement.told(batch.read, call.replica)
                for request, text in call.written(batch.messages):
                    self._placement.wrote(request, text, call.replica)
                call.flight.receive(batch.messages)
                if any(map(stalled, batch.messages)):
                    self._suspect(call.replica)
        except asyncio.CancelledError:
            batches.cancel()
            if call.given_up is None:
                raise
            return call.given_up
        except RayActorError as error:
            self._suspect(call.replica)
            return Fault(cause=Cause.REPLICA_DIED, detail=f"replica {call.replica}: {type(error).__name__}")
        except BackPressureError as error:
            return Fault(cause=Cause.OVERLOADED, detail=str(error))
        except DeploymentUnavailableError as error:
            return Fault(cause=Cause.POOL_UNAVAILABLE, detail=error.message)  # its str() is a bare name
        except Exception as error:
            logger.exception("a call to replica %s was lost", call.replica)
            return Fault(cause=Cause.ENGINE_ERROR, detail=f"{type(error).__name__}: {error}")
        return Fault(
            cause=Cause.ENGINE_ERROR, detail="the replica ended the stream without an end of this decode"
        )

    def _pass_aborts_on(self, call: ReplicaCall) -> None:
        keys, call.to_abort = tuple(call.to_abort), set()
        if keys:
            self._go(self._abort_on(call.replica, keys))

    async def _abort_on(self, replica: str, keys: tuple[Key, ...]) -> None:
        try:
            await self._handle.options(method_name="abort").remote(keys, replica=replica)
        except RayActorError:
            self._suspect(replica)  # what it was decoding ends by itself, with the call that carried it

    def _go(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """An errand that ends by itself, or with the pool."""
        errand = self._apart(coroutine)
        self._errands.add(errand)
        errand.add_done_callback(self._errands.discard)
        return errand

    def _apart(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task outside any Serve request: Serve cancels what a request began when the request goes away, and mistakes
        calls made at once in one request for one another."""
        return self._loop.create_task(coroutine, context=Context())
