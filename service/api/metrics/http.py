"""Measures what this process answers, and, at each scrape, how the store and the pool stand."""

import time
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from anabranch.service.api.metrics.jobs import EndedJobs
from anabranch.workers.pool.protocol import PoolLoad

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Meters:
    """One app's metrics. Names and labels are part of the public surface.

    Of several processes, all that counts (HTTP, ended jobs) is summed. What is read from the store or the pool at each
    scrape is the same in all: one of them is enough (`max`).
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        labels = ("method", "route")
        self.requests = Counter(
            "anabranch_http_requests_total", "Requests answered.", (*labels, "status"), registry=registry
        )
        self.seconds = Histogram(
            "anabranch_http_request_seconds",
            "Until the first byte of the answer.",
            labels,
            buckets=BUCKETS,
            registry=registry,
        )
        self.streams = Gauge(
            "anabranch_open_requests", "Answers still being sent: mostly streams.", registry=registry
        )
        self.ended = EndedJobs(registry)
        self.store_up = Gauge(
            "anabranch_store_up", "1 where the store answers this process, 0 where not.", registry=registry
        )
        self.jobs = Gauge(
            "anabranch_jobs",
            "Jobs that have not ended; every process tells the same. None while the store is away.",
            ("status",),
            registry=registry,
        )
        self.organizers = Gauge(
            "anabranch_organizers", "Organizers that live; every process tells the same.", registry=registry
        )
        self.replicas = Gauge(
            "anabranch_pool_replicas",
            "Replicas of the worker pool; every process tells the same.",
            registry=registry,
        )
        self.decoding = Gauge(
            "anabranch_pool_decoding", "Decodes under way; every process tells the same.", registry=registry
        )
        self.capacity = Gauge(
            "anabranch_pool_capacity",
            "Decodes that the pool takes at once; every process tells the same.",
            registry=registry,
        )
        self.pools = PoolMeters(registry)


class PoolMeters:
    """How each named pool stands; every process tells the same."""

    def __init__(self, registry: CollectorRegistry) -> None:
        told = {
            "replicas": "Replicas of a pool.",
            "decoding": "Decodes of a pool, those that wait for a replica among them.",
            "capacity": "Decodes that a pool takes at once.",
            "waiting": "Decodes that wait, as their pool has no replica that could take them.",
        }
        self._gauges = {
            name: Gauge(f"anabranch_pools_{name}", about, ("pool",), registry=registry)
            for name, about in told.items()
        }

    def set(self, pools: Mapping[str, PoolLoad]) -> None:
        for name, gauge in self._gauges.items():
            gauge.clear()
            for pool, load in pools.items():
                gauge.labels(pool).set(getattr(load, name))


class Measuring:
    """ASGI middleware: counts and times every request by its route, never by its path."""

    def __init__(self, app: ASGIApp, *, meters: Meters) -> None:
        self._app = app
        self._meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                method, route = scope["method"], getattr(scope.get("route"), "path", "other")
                self._meters.seconds.labels(method, route).observe(time.perf_counter() - began)
                self._meters.requests.labels(method, route, message["status"]).inc()
            await send(message)

        with self._meters.streams.track_inprogress():
            await self._app(scope, receive, measured)
