"""A Ray cluster in pods, and what its operator asks of it."""

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import httpx
from tests.cluster.pod import Pod
from tests.cluster.waiting import answers, await_true

GCS, DASHBOARD, HEALTH = 6379, 8265, 52365
APP = "anabranch"
REPLICA = f"ray::ServeReplica:{APP}:"
"""How Ray titles the process of a replica; then comes its deployment."""

Storage = Literal["rocksdb", "redis"]
"""Where the head keeps what it must know again when it comes back."""


@dataclass(slots=True)
class RayPods:
    """A head and its workers, named as in the manifests."""

    token: str
    head: Pod
    workers: list[Pod]

    @property
    def pods(self) -> tuple[Pod, ...]:
        return (self.head, *self.workers)

    def start(self) -> None:
        """The workers when the head answers, as their first container waits for that."""
        self.head.start()
        self.await_head()
        for worker in self.workers:
            worker.start()

    def await_ready(self) -> None:
        """Until all workers answer their probes, too."""
        for worker in self.workers:
            self.await_worker(worker)

    def stop(self) -> None:
        for pod in self.pods:
            pod.kill()

    def await_head(self) -> None:
        await_true("the head's dashboard answers", self._head_answers, self.head)

    def await_worker(self, worker: Pod) -> None:
        url = f"http://{worker.address}:{HEALTH}/api/local_raylet_healthz"
        await_true(f"{worker.name} answers its probe", lambda: answers(url), self.head, worker)

    def put(self, config: dict[str, Any]) -> None:
        """Declares what Serve is to run, as KubeRay does."""
        self._ask("PUT", json=config).raise_for_status()

    def state(self) -> dict[str, Any]:
        """All that Serve tells of its applications."""
        told: dict[str, Any] = self._ask("GET").raise_for_status().json()
        return told

    def await_running(self) -> None:
        """Until the application has all its replicas. Raises AssertionError, with what Serve tells, when it does not
        come to that."""
        try:
            await_true("all replicas run", self._all_run, *self.pods)
        except AssertionError as error:
            error.add_note(f"living: {self._living()}\n{json.dumps(self.state()['applications'], indent=1)}")
            raise

    def replicas(self) -> dict[str, list[dict[str, Any]]]:
        """What runs, by deployment: each with its node, its process and its state."""
        deployments = self.state()["applications"].get(APP, {}).get("deployments", {})
        return {name: one["replicas"] for name, one in deployments.items()}

    def _all_run(self) -> bool:
        with suppress(httpx.HTTPError):
            application = self.state()["applications"].get(APP)
            if application is None:
                return False
            assert application["status"] != "DEPLOY_FAILED", application["message"]
            deployments = application["deployments"].values()
            replicas = [
                (one.get("node_ip"), one.get("pid")) for each in deployments for one in each["replicas"]
            ]
            return (
                application["status"] == "RUNNING"
                and all(each["status"] == "HEALTHY" for each in deployments)
                and self._living() >= set(replicas)
                and len(replicas) == sum(each["target_num_replicas"] for each in deployments)
            )
        return False

    def _living(self) -> set[tuple[str, int]]:
        """Of those that Serve believes to run, some may be gone for seconds."""
        return {(pod.address, pid) for pod in self.workers for pid in pod.numbers_of(REPLICA)}

    def _head_answers(self) -> bool:
        with suppress(httpx.HTTPError):
            return self._ask("GET").status_code == httpx.codes.OK
        return False

    def _ask(self, method: str, **more: Any) -> httpx.Response:
        url = f"http://{self.head.address}:{DASHBOARD}/api/serve/applications/"
        return httpx.request(
            method, url, headers={"Authorization": f"Bearer {self.token}"}, timeout=30, **more
        )
