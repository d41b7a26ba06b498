"""The whole service in one process, without Ray: as a program of its own, and as a user starts it."""

import asyncio
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.databases import Databases
from tests.workers.engines.misbehaviours import STOP, said, stream
from tests.workers.engines.upstream import Answer, Upstream, serving

from anabranch.client import Client, ServiceRefused
from anabranch.service.cli import main
from anabranch.service.one_process import run_in_one_process
from anabranch.service.settings import Settings
from anabranch.service.store.sql import schema

Process = subprocess.Popen[str]
Start = Callable[..., tuple[Process, Client]]
COMMAND = [sys.executable, "-c", "from anabranch.service.cli import main; main()"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANABRANCH_")}
    return kept | {"ANABRANCH_STATE": str(tmp_path / "state")}


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """Starts `anabranch up` with these options; returns it when it says that it is ready."""
    with ExitStack() as started:

        def start(*options: str) -> tuple[Process, Client]:
            errors = started.enter_context((tmp_path / "err.txt").open("a"))
            command = [*COMMAND, "up", "--port", "0", *options]
            process = Process(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=errors)
            started.enter_context(process)  # closes its pipe, and waits
            started.callback(lambda: process.kill() if process.poll() is None else None)
            assert process.stdout is not None
            ready = process.stdout.readline()
            assert ready.startswith("Anabranch is ready: http://127.0.0.1:"), told(tmp_path)
            return process, started.enter_context(Client(ready.split()[-1]))

        yield start


def told(tmp_path: Path) -> str:
    return (tmp_path / "err.txt").read_text()


def test_it_answers_with_the_real_checks_and_ends_when_it_is_told_to(start: Start, tmp_path: Path) -> None:
    process, client = start("--engine", "scripted")
    job = client.submit("What is six times seven?", policy="self-consistency").id
    kinds = [event.kind for event in client.follow(job)]
    assert (kinds[0], kinds[-1]) == ("JobSubmitted", "JobSucceeded")
    assert "BranchesVoted" in kinds
    assert client.audit(job).ok
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert told(tmp_path) == ""


@pytest.mark.postgres
def test_two_on_one_database_tell_the_load_of_both(
    environment: dict[str, str], start: Start, databases: Databases
) -> None:
    environment["ANABRANCH_DATABASE"] = databases.new("postgres")
    urls = [start("--engine", "scripted")[1].url for _ in range(2)]
    for url in urls:
        ready = until_all_are_told(url)
        assert (ready["organizers"], ready["replicas"]) == (2, 2)
        assert ready["pools"]["default"]["capacity"] == 64


def until_all_are_told(url: str, seconds: float = 60.0) -> Any:
    """What /readyz says once it has heard of two replicas; in the end whatever it says."""
    give_up = time.monotonic() + seconds
    while (ready := httpx.get(f"{url}/readyz").json())["replicas"] < 2 and time.monotonic() < give_up:
        time.sleep(0.2)
    return ready


def test_jobs_go_on_after_everything_was_killed_and_are_kept_at_ctrl_c(
    environment: dict[str, str], start: Start, tmp_path: Path
) -> None:
    words = "so it goes " * 20
    script = tmp_path / "script.json"
    rules = [{"matches": "forever", "text": words * 1000}, {"text": words}]
    script.write_text(json.dumps({"rules": rules, "tokens_per_second": 20}))
    environment["ANABRANCH_SCRIPT"] = str(script)
    process, client = start("--engine", "scripted")
    job = client.submit("How does it go?", policy="sequential").id
    next(event for event in client.follow(job) if event.kind == "SegmentStarted")
    process.kill()
    process.wait(30)

    process, client = start("--engine", "scripted")
    assert (answer := client.wait(job).answer) is not None
    assert answer.text.strip().endswith(words.strip())
    long = client.submit("How does it go on forever?", policy="sequential").id
    next(event for event in client.follow(long) if event.kind == "SegmentStarted")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert kept(environment, long) == ("running", 1, None)


def kept(environment: dict[str, str], job: str) -> tuple[str, int, str | None]:
    """The job's status, attempt and owner in the store."""
    file = Path(environment["ANABRANCH_STATE"]) / "anabranch.db"
    with closing(sqlite3.connect(file)) as store:
        query = "SELECT status, attempt, lease_owner FROM jobs WHERE id = ?"
        row: tuple[str, int, str | None] = store.execute(query, (job,)).fetchone()
    return row


@contextmanager
def served(tmp_path: Path, **settings: Any) -> Iterator[Client]:
    """The same in this process."""
    chosen = Settings(state=tmp_path, port=0, **settings)
    asyncio.run(schema.upgrade(chosen.database))
    with run_in_one_process(chosen) as service, Client(service.url) as client:
        service.wait_until_ready(lambda _: None)
        assert service.why_ended() is None
        yield client


def test_an_upstream_of_many_models_is_used_by_each_of_its_names(tmp_path: Path) -> None:
    upstream = Upstream(models=("small", "large:latest"))
    with serving(upstream):
        settings = {"engine": "openai", "upstream_url": upstream.url, "model": "large"}
        with served(tmp_path, **settings) as client:
            for model in ("large", "small"):
                job = client.submit("What is 2 + 2?", policy="sequential", model=model)
                assert (answer := client.wait(job.id).answer) is not None
                assert answer.text == "The answer is 4."
            with pytest.raises(ServiceRefused, match="there are: large, small, large:latest"):
                client.submit("What is 2 + 2?", model="medium")
    assert [body["model"] for body in upstream.asked if "messages" in body][-2:] == ["large", "small"]


def reciting(asked: dict[str, Any]) -> Answer:
    """A judge says how good a sample is, and reasons, since no form holds it back."""
    judges = "Reply with the number alone" in asked["messages"][-1]["content"]
    return stream(said("7, since it is what it is" if judges else "It is 4."), STOP)


def test_judges_rank_samples_of_an_upstream_that_knows_no_forms(tmp_path: Path) -> None:
    upstream = Upstream(answer=reciting)
    with (
        serving(upstream),
        served(tmp_path, engine="openai", upstream_url=upstream.url) as client,
    ):
        job = client.submit("What is 2 + 2?", policy={"name": "best-of-n", "params": {"n": 3}}).id
        kinds = [event.kind for event in client.follow(job)]
    assert (kinds.count("BranchScored"), kinds.count("BranchFailed"), kinds[-1]) == (3, 0, "JobSucceeded")
    assert not any("response_format" in asked for asked in upstream.asked)


def test_what_keeps_it_from_starting_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANABRANCH_STATE", str(tmp_path))

    def refusal(*options: str, code: int = 1) -> str:
        with pytest.raises(SystemExit) as left:
            main(["up", *options])
        out, err = capfd.readouterr()
        assert (left.value.code, out, err.count("\n")) == (code, "", 1), err
        return err

    upstream = Upstream(models=("small", "large"), error=(404, {"message": "model 'huge' not found"}))
    with serving(upstream):
        told = refusal("--upstream", upstream.url, "--model", "huge", "--port", "0")
        assert told == f"anabranch: {upstream.url} does not serve 'huge'; it serves: large, small\n"
        port = upstream.url.split(":")[2].removesuffix("/v1")
        told = refusal("--upstream", upstream.url, "--port", port)
        assert f"cannot listen on 127.0.0.1:{port} (Address already in use)" in told
    assert f"{upstream.url} does not answer: " in refusal("--upstream", upstream.url, "--port", "0")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        link_port = str(taken.getsockname()[1])
        monkeypatch.setenv("ANABRANCH_LINK_PORT", link_port)
        told = refusal("--engine", "scripted", "--port", "0")
        assert f"the organizer cannot listen on 127.0.0.1:{link_port} (" in told
    both = refusal("--upstream", upstream.url, "--engine", "vllm", code=2)
    assert "--upstream decodes elsewhere, and engine vllm here: leave one of them out" in both
