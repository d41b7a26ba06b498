"""The worker pool through Ray Serve: one streaming call per replica that a batch of requests lands on."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from contextvars import Context
from typing import Any

from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from anabranch.dag.decoding import Decoded, Fault, Finish
from anabranch.workers.messages import DecodeRequest, Key, Message, SegmentDone
from anabranch.workers.pool.deployment import NAME, pool_name
from anabranch.workers.pool.in_flight import InFlightCall
from anabranch.workers.pool.placement import Placement
from anabranch.workers.pool.protocol import Deliver, PoolLoad
from anabranch.workers.pool.replica_registry import subscribe, unsubscribe
from anabranch.workers.replica.replica import ReplicaState

logger = logging.getLogger(__name__)

SUSPECT_SECONDS = 2.0
"""For how long nothing new goes to a replica that broke a call, or stalls: twice the period of its health check, after
which Serve has either replaced it or found it well."""


class ReplicaCall:
    """One call on its way to a replica and back."""

    def __init__(self, replica: str, flight: InFlightCall) -> None:
        self.replica = replica
        self.flight = flight
        self.requests = flight.open
        self.accepted = False
        self.to_abort: set[Key] = set()
        """Asked for before the replica had taken the call up, when it would not know them."""


class ServePool:
    """A `Pool` over the deployment of `worker_pool`. Made on the event loop that uses it; many organizers may have one
    each over the same deployment.

    Requests wait here while there is no replica. A replica that dies leaves its decodes a last SegmentDone with fault
    `replica-died`; nothing is sent twice, since only the organizer knows what a second try may cost.
    """

    def __init__(self, app: str, *, placement: Placement | None = None) -> None:
        self.app = app
        self._loop = asyncio.get_running_loop()
        self._placement = placement or Placement()
        self._places: Mapping[str, int] = {}
        self._suspects: set[str] = set()
        self._waiting: list[InFlightCall] = []
        self._calls: dict[ReplicaCall, asyncio.Task[None]] = {}
        self._call_of: dict[Key, ReplicaCall] = {}
        self._errands: set[asyncio.Task[None]] = set()
        self._name = pool_name(app)
        subscribe(self._name, self._on_replicas)
        # Not serve.get_deployment_handle, whose handles Serve keeps and shuts down when this loop is long gone.
        handle = DeploymentHandle(NAME, app)
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

    def load(self) -> PoolLoad:
        calls = sum(len(call.flight) for call in self._calls)
        return PoolLoad(
            replicas=len(self._places),
            decoding=calls + sum(len(flight) for flight in self._waiting),
            capacity=sum(self._places.values()),
        )

    @property
    def replicas(self) -> frozenset[str]:
        """Ids of the replicas that are known to serve."""
        return frozenset(self._places)

    async def describe(self) -> tuple[ReplicaState, ...]:
        """Asks every replica there is: one call each."""
        states = await self._handle.broadcast("describe", replica="").results_async(return_exceptions=True)
        return tuple(state for state in states if isinstance(state, ReplicaState))

    async def close(self) -> None:
        """Lets go of all calls, with no last messages; the replicas abort what they were decoding for this pool."""
        unsubscribe(self._name, self._on_replicas)
        self._waiting.clear()
        tasks = [*self._calls.values(), *self._errands]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._handle.shutdown_async()

    # -- where calls go

    def _send(self, flight: InFlightCall) -> None:
        loads = self._loads()
        if not loads:
            self._waiting.append(flight)
            return
        for replica, requests in self._placement.place(flight.open, loads).items():
            self._depart(ReplicaCall(replica, InFlightCall(requests, flight.deliver)))

    def _loads(self) -> dict[str, int]:
        loads = dict.fromkeys(self._places.keys() - self._suspects, 0)
        for call in self._calls:
            if call.replica in loads:
                loads[call.replica] += len(call.flight)
        return loads

    def _on_replicas(self, places: Mapping[str, int]) -> None:
        self._loop.call_soon_threadsafe(self._learn, places)

    def _learn(self, places: Mapping[str, int]) -> None:
        self._places = places
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
        task = self._apart(self._travel(call))
        self._calls[call] = task
        self._call_of.update((request.key, call) for request in call.requests)

    async def _travel(self, call: ReplicaCall) -> None:
        try:
            fault = await self._follow(call)
            call.flight.end(_keys(call.flight), Finish.ERROR, replica=call.replica, fault=fault)
        finally:
            del self._calls[call]
            for request in call.requests:
                if self._call_of.get(request.key) is call:
                    del self._call_of[request.key]

    async def _follow(self, call: ReplicaCall) -> Fault:
        """Delivers the call's messages. Returns why it ended, for the decodes that had not."""
        stream = self._handle.options(stream=True, method_name="decode")
        batches = stream.remote(call.requests, replica=call.replica)
        try:
            async for batch in batches:
                if not call.accepted:
                    call.accepted = True
                    call.replica = batch.replica  # another one, where the one it was sent to had gone
                    self._pass_aborts_on(call)
                call.flight.receive(batch.messages)
                if any(map(_stalled, batch.messages)):
                    self._suspect(call.replica)
        except asyncio.CancelledError:
            batches.cancel()
            raise
        except RayActorError as error:
            self._suspect(call.replica)
            return Fault(cause="replica-died", detail=f"replica {call.replica}: {type(error).__name__}")
        except BackPressureError as error:
            return Fault(cause="overloaded", detail=str(error))
        except DeploymentUnavailableError as error:
            return Fault(cause="pool-unavailable", detail=str(error))
        except Exception as error:
            logger.exception("a call to replica %s was lost", call.replica)
            return Fault(cause="engine-error", detail=f"{type(error).__name__}: {error}")
        return Fault(
            cause="engine-error", detail="the replica ended the stream without an end of this decode"
        )

    def _pass_aborts_on(self, call: ReplicaCall) -> None:
        keys, call.to_abort = tuple(call.to_abort), set()
        if keys:
            errand = self._apart(self._abort_on(call.replica, keys))
            self._errands.add(errand)
            errand.add_done_callback(self._errands.discard)

    async def _abort_on(self, replica: str, keys: tuple[Key, ...]) -> None:
        try:
            await self._handle.options(method_name="abort").remote(keys, replica=replica)
        except RayActorError:
            self._suspect(replica)  # what it was decoding ends by itself, with the call that carried it

    def _apart(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task outside any Serve request: Serve cancels what a request began when the request goes away, and mistakes
        calls made at once in one request for one another."""
        return self._loop.create_task(coroutine, context=Context())


def _stalled(message: Message) -> bool:
    """Its next try would find the same engine by its prefix."""
    match message:
        case SegmentDone(decoded=Decoded(fault=Fault(cause="timeout"))):
            return True
    return False


def _keys(flight: InFlightCall) -> list[Key]:
    return [request.key for request in flight.open]
