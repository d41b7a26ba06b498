"""Lays a cluster on this machine: a head, two workers and two REST processes in pods, PostgreSQL and Redis beside them.

What Kubernetes and its operator would do is done here by the same calls: pods start as the rendered manifests say, the
config is PUT to the head as KubeRay does it; pods are killed, ended with SIGTERM, cut off, and started again.
"""

import asyncio
import json
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from tests.cluster.manifest import Manifest, environment_of, flags_of
from tests.cluster.network import Network
from tests.cluster.pod import Pod
from tests.cluster.ray_pods import GCS, RayPods, Storage
from tests.cluster.stores import POSTGRES, REDIS, Certificates, postgres_pod, redis_pod
from tests.cluster.waiting import answers, await_true, listens
from tests.deploy.manifests import Pod as PodOfManifest
from tests.deploy.manifests import image_environment

from anabranch.service.store.sql import schema

REST = 8000
CPUS = 2
"""Of each worker, by Ray's count; KubeRay takes it from the pod's limits."""
PLACES = {"PATH", "HOME"}
"""What an image says of itself, which is not here."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """All that nobody may read in a state, a log or a journal."""

    database: str = field(default_factory=lambda: secrets.token_hex(16))
    link: str = field(default_factory=lambda: secrets.token_hex(16))
    ray: str = field(default_factory=lambda: secrets.token_hex(16))
    redis: Certificates = field(default_factory=Certificates.make)

    @property
    def lines(self) -> Mapping[str, Sequence[str]]:
        """By their names. A key has several lines, and any of them is one too many."""
        of_keys = [line for line in self.redis.keys.splitlines() if not line.startswith("-----")]
        return {"database": [self.database], "link": [self.link], "ray": [self.ray], "redis": of_keys}


@dataclass(slots=True)
class Bed:
    """All pods of the service. `ray` and `apis` are those that serve now."""

    network: Network
    folder: Path
    manifest: Manifest
    secrets: Secrets
    files: Mapping[str, str]
    """Of /etc in every pod, in place of the ConfigMap's."""
    room: Mapping[str, int]
    """What a worker has places for, as its group says in the overlays."""
    postgres: Pod
    database: str
    """URL, with its password."""
    redis: Pod
    storage: Storage = "rocksdb"
    build: Mapping[str, str] = field(default_factory=dict)
    """What pods that are made from now on are told to run another build than this checkout."""
    ray: RayPods = field(init=False)
    leaving: Sequence[Pod] = ()
    """They were told to end, and nobody has waited for that yet."""
    apis: tuple[Pod, ...] = field(init=False)
    _made: list[Pod] = field(default_factory=list)

    def start(self) -> None:
        """Everything; returns when the application has all its replicas."""
        self.postgres.start()
        self.redis.start()
        await_true("Redis listens", lambda: listens(self.redis.address, REDIS), self.redis)
        self.ray = self.make_ray(self.storage)
        self.ray.start()
        await_true("PostgreSQL listens", lambda: listens(self.postgres.address, POSTGRES), self.postgres)
        asyncio.run(schema.upgrade(self.database))  # as the Job anabranch-migrate
        self.apis = (self.make_api("api-1"), self.make_api("api-2"))
        for api in self.apis:
            api.start()
        self.ray.await_ready()
        self.ray.put(self.manifest.serve_config)
        for api in self.apis:
            self.await_api(api)
        self.ray.await_running()

    def stop(self) -> None:
        """Nothing of it runs any more, whatever was made beside those that serve."""
        for pod in (*self._made, self.postgres, self.redis):
            pod.kill()

    def await_api(self, api: Pod) -> None:
        await_true(f"{api.name} is ready", lambda: answers(f"{url_of(api)}/readyz"), api)

    @property
    def urls(self) -> tuple[str, ...]:
        """Of REST."""
        return tuple(url_of(api) for api in self.apis)

    # -- pods that are not started yet

    def make_api(self, name: str) -> Pod:
        return self._pod(name, self.manifest.api, self.build, *self.manifest.api.container["args"])

    def make_ray(self, storage: Storage, generation: str = "") -> RayPods:
        """A second one beside the first has names of its own."""
        head = f"head{generation}"
        join: tuple[str, ...] = ("--head", f"--port={GCS}")
        keep: dict[str, str] = {}
        match storage:  # as KubeRay tells a head where it keeps what it must know again
            case "rocksdb":
                folder = self.folder / head / "gcs"
                keep = {"RAY_gcs_storage": "rocksdb", "RAY_gcs_storage_path": str(folder)}
            case "redis":
                at = f"rediss://{self.redis.address}:{REDIS}"
                keep = {"RAY_REDIS_ADDRESS": at, "RAY_external_storage_namespace": head}
        kind = self.manifest.head_with_redis if storage == "redis" else self.manifest.head
        workers = [self.make_worker(f"worker-{n}{generation}", head) for n in (1, 2)]
        return RayPods(self.secrets.ray, self._ray_pod(head, kind, keep, *join), workers)

    def make_worker(self, name: str, head: str = "head") -> Pod:
        joins = (f"--address={self.network.join(head)}:{GCS}", f"--num-cpus={CPUS}")
        return self._ray_pod(
            name, self.manifest.organizers, {}, *joins, f"--resources={json.dumps(self.room)}"
        )

    def _ray_pod(self, name: str, kind: PodOfManifest, told: Mapping[str, str], *flags: str) -> Pod:
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.secrets.ray, **self.build}
        at = f"--node-ip-address={self.network.join(name)}"
        return self._pod(
            name, kind, {**token, **told}, "ray", "start", "--block", at, *flags_of(kind), *flags
        )

    def _pod(self, name: str, kind: PodOfManifest, told: Mapping[str, str], *command: str) -> Pod:
        values = {
            ("anabranch-secrets", "database"): self.database,
            ("anabranch-secrets", "link-secret"): self.secrets.link,
        }
        own = environment_of(kind, values, self.network.join(name))
        environment = {**_image(), **told, **own}
        files = {**self.files, **(self.secrets.redis.client if kind is self.manifest.head_with_redis else {})}
        pod = Pod(name, self.network, self.folder / name, environment, command, files)
        self._made.append(pod)
        return pod


@contextmanager
def laid_bed(settings: Mapping[str, Any], script: Mapping[str, Any]) -> Iterator[Bed]:
    """A bed with these settings, whose scripted engine has this script; nothing is started yet. All is gone afterwards.

    Each worker has room for an organizer and for one replica of each pool: what one loses does not crowd the other.

    Raises NotHere.
    """
    network, keys = Network(), Secrets()
    network.open()
    folder = Path(tempfile.mkdtemp(prefix="bed-"))  # short: names of sockets have at most 107 characters
    folder.chmod(0o755)  # PostgreSQL is another user's
    try:
        postgres, database = postgres_pod(network, folder / "postgres", keys.database)
        manifest = Manifest.read()
        redis = redis_pod(network, folder / "redis", manifest.redis, keys.redis.server)
        own = {**settings, "places": True}
        files = {
            "anabranch/anabranch.yaml": yaml.safe_dump(own),
            "anabranch/script.json": json.dumps(script),
        }
        room = {"organizers": 1} | {f"pool-{name}": 1 for name in settings["pools"]}
        bed = Bed(network, folder, manifest, keys, files, room, postgres, database, redis)
        try:
            yield bed
        finally:
            bed.stop()
    finally:
        network.close()
        shutil.rmtree(folder, ignore_errors=True)


def _image() -> dict[str, str]:
    return {name: value for name, value in image_environment().items() if name not in PLACES}


def url_of(api: Pod) -> str:
    return f"http://{api.address}:{REST}"
