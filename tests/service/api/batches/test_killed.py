"""A service that is killed in the midst of a batch, by SIGKILL, begins no line twice and forgets none."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests import scripted_program
from tests.databases import BOTH, Databases

LINES = 60
PATIENCE = 180.0
SENT = "".join(
    json.dumps({"custom_id": f"q-{n}", "question": f"Question {n}", "policy": {"name": "sequential"}}) + "\n"
    for n in range(LINES)
)


@contextmanager
def service(database: str, folder: Path, name: str) -> Iterator[tuple[str, Callable[[], None]]]:
    """A process of its own; gives its address, and what kills it."""
    process = subprocess.Popen(
        [sys.executable, scripted_program.__file__, name],
        env={
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[4]),
            "ANABRANCH_DATABASE": database,
            "ANABRANCH_STATE": str(folder),
        },
        stdout=subprocess.PIPE,
        text=True,
    )

    def kill() -> None:
        process.kill()
        process.wait(60)

    assert process.stdout is not None
    with process.stdout:
        try:
            yield process.stdout.readline().strip(), kill
        finally:
            kill()


def until(url: str, there: Callable[[dict[str, int]], bool]) -> dict[str, int]:
    """What the batch counts, once that is so."""
    end = time.monotonic() + PATIENCE
    while not there(counts := httpx.get(url, timeout=30).json()["request_counts"]):
        assert time.monotonic() < end, counts
        time.sleep(0.02)
    return dict(counts)


@pytest.mark.parametrize("kind", BOTH)
def test_a_killed_service_begins_no_line_twice_and_forgets_none(kind: str, tmp_path: Path) -> None:
    databases = Databases(tmp_path)
    database = databases.new(kind)
    with service(database, tmp_path, "first") as (url, kill):
        headers = {"Content-Type": "application/jsonl", "Idempotency-Key": "once"}
        made = httpx.post(f"{url}/v1/batches", content=SENT, headers=headers, timeout=60)
        assert made.status_code == 200, made.text
        batch = f"/v1/batches/{made.json()['id']}"
        end = time.monotonic() + PATIENCE
        while not httpx.get(f"{url}/v1/jobs", params={"limit": 1}).json()["items"]:
            assert time.monotonic() < end
        kill()  # lines are beginning
    with service(database, tmp_path, "second") as (url, kill):
        until(url + batch, lambda counts: counts["completed"] > 0)
        kill()  # lines are ending
    with service(database, tmp_path, "third") as (url, kill):
        again = httpx.post(f"{url}/v1/batches", content=SENT, headers=headers, timeout=60)
        assert again.json()["id"] == made.json()["id"]
        until(url + batch, lambda counts: counts["completed"] == LINES)
        results = [json.loads(line) for line in httpx.get(f"{url}{batch}/results").text.splitlines()]
        assert [line["custom_id"] for line in results] == [f"q-{n}" for n in range(LINES)]
        jobs, cursor = Counter[str](), ""
        while cursor is not None:
            page = httpx.get(f"{url}/v1/jobs", params={"limit": 200, "cursor": cursor}, timeout=30).json()
            jobs.update(job["metadata"]["custom_id"] for job in page["items"])
            cursor = page["next_cursor"]
        assert jobs == Counter({f"q-{n}": 1 for n in range(LINES)})
        assert all(line["response"]["body"]["answer"]["text"].endswith("42") for line in results)
    databases.close()
