"""Starts the whole service on this machine: a private Ray with worker pool and organizers, and REST in this process."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from anabranch.client import Client
from anabranch.service.api.server import bind, serve_on
from anabranch.service.readiness import Report, wait_for_rest
from anabranch.service.settings import Settings
from anabranch.service.settings.source import WholeFile
from anabranch.workers.cluster import environment
from anabranch.workers.settings import PoolSettings


@dataclass(frozen=True, slots=True)
class ServiceOnRay:
    """See `RunningService`: REST is in this process, all else in its children."""

    url: str
    pool: PoolSettings
    """The default one; others may take longer, and keep nobody waiting but their own branches."""

    def wait_until_ready(self, report: Report, *, seconds: float = 600.0) -> None:
        """Until a job can be answered. Raises NotReady when the pool fails, or has no replica in time."""
        from anabranch.service import cluster

        cluster.wait_for_organizers(report, seconds)
        cluster.wait_for_pool(self.pool, report, seconds)
        with Client(self.url) as client:
            wait_for_rest(client.ready, seconds)

    def why_ended(self) -> str | None:
        """Ray's head is gone: nothing here can be shut down in order any more."""
        if environment.head_is_there():
            return None
        return "the head of Ray has died, and its processes end, too; every job is kept: start anabranch up again"


@contextmanager
def run_service(settings: Settings) -> Iterator[ServiceOnRay]:
    """Starts everything but does not wait for the engine; stops it, with a clean hand-over, when the block ends.

    The schema must be there (`anabranch db upgrade`). Ray is a private one on this machine, on loopback. Raises
    CannotListen before Ray is started.
    """
    with ExitStack() as stack:
        bound = stack.enter_context(bind((settings.host, settings.port)))  # before Ray, which takes its time
        environment.prepare()
        from anabranch.service import cluster

        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="anabranch-"))
        stack.enter_context(environment.local_ray())
        cluster.deploy(WholeFile.write(settings, Path(folder) / "settings.json"))
        url = stack.enter_context(serve_on(bound, settings))
        yield ServiceOnRay(url, settings.pool_settings()[0])
