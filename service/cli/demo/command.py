"""Implements `anabranch demo`: a whole service that needs no model, and what it does, told as it happens."""

import asyncio
import json
import os
import signal
import tempfile
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from anabranch.client import Client, Event, Job
from anabranch.dag.ids import BranchId, by_path
from anabranch.service.cli.connect import OPEN
from anabranch.service.cli.demo.organizers import Organizers, organizers
from anabranch.service.cli.demo.script import EDIT, EDITED_BRANCH, QUESTION, script
from anabranch.service.cli.demo.story import tell as line_of
from anabranch.service.cli.errors import CannotStart
from anabranch.service.cli.output import tell
from anabranch.service.cli.running.instance import end_by_interrupt, prepare_store
from anabranch.service.readiness import NotReady, wait_for_rest
from anabranch.service.settings import Settings, read_settings

READY_SECONDS = 120.0
LEASE_SECONDS = 3.0
REFUSING_BUDGET = 3
"""Branches that the second job may have; it wants more."""
SAMPLES = 5


def demo(
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)] = 0,
) -> None:
    """See a job grow, a budget refuse, an organizer be killed and replaced, and an edit run again: without a model.

    A scripted engine recites; all else is the real service, in a folder that is deleted at the end (Ctrl-C).
    """
    end_by_interrupt()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="anabranch-demo-") as folder,
            _serve(Path(folder), port) as both,
        ):
            client, crew = both
            first = _show_a_job_that_grows(client, crew)
            _show_a_budget(client)
            _show_an_edit(client, first)
            tell(
                f"\nThat was all. Look around at {client.url}, or with ANABRANCH_URL={client.url} anabranch jobs"
            )
            tell("Ctrl-C ends the demonstration, and deletes it.")
            while True:
                signal.pause()
    except KeyboardInterrupt:
        return


@contextmanager
def _serve(folder: Path, port: int) -> Iterator[tuple[Client, Organizers]]:
    """REST in this process, two organizers beside it. Raises CannotStart."""
    from anabranch.service.api.server import CannotListen, serve_api

    settings = _settings(folder, port)
    tell("No model decodes here: a scripted engine recites. All else is the real service.")
    asyncio.run(prepare_store(settings))
    try:
        with (
            organizers(settings, 2) as crew,
            serve_api(settings, (settings.host, settings.port)) as url,
            Client(url) as client,
        ):
            wait_for_rest(client.ready, READY_SECONDS)
            yield client, crew
    except (CannotListen, NotReady) as error:
        raise CannotStart(str(error)) from error


def _settings(folder: Path, port: int) -> Settings:
    """A service of its own, whatever the environment names."""
    recited = folder / "script.json"
    recited.write_text(json.dumps(script()), encoding="utf-8")
    said: dict[str, Any] = {
        "state": folder,
        "database": f"sqlite:///{folder / 'demo.db'}",
        "host": "127.0.0.1",
        "port": port,
        "pools": {},
        "engine": "scripted",
        "engine_options": {},
        "script": recited,
        "lease_seconds": LEASE_SECONDS,
        "stop_seconds": 0.0,
    }
    return read_settings(**said).model_copy(update=OPEN)


def _show_a_job_that_grows(client: Client, crew: Organizers) -> Job:
    tell("\n1. A job grows; in the midst of it its organizer is killed, and replaced.")
    job = client.submit(QUESTION, policy="plan")
    _open(f"{client.url}/jobs/{job.id}")
    owner, killed = "", False
    for event in _told(client, job):
        if event.kind == "JobClaimed":
            owner = event.payload["owner"]
        if not killed and event.kind == "SegmentStarted" and event.branch == EDITED_BRANCH:
            killed = True
            tell(
                f"   - now organizer process {crew.kill(owner)} is killed (SIGKILL), in the midst of its work"
            )
            tell(f"   - process {crew.start()} is started in its place")
    return client.wait(job.id)


def _show_a_budget(client: Client) -> None:
    tell(f"\n2. A job wants {SAMPLES} branches; its budget allows {REFUSING_BUDGET}.")
    policy = {"name": "self-consistency", "params": {"n": SAMPLES}}
    for _ in _told(client, client.submit(QUESTION, policy=policy, budget={"branches": REFUSING_BUDGET})):
        pass


def _show_an_edit(client: Client, first: Job) -> None:
    tell(f"\n3. Branch {EDITED_BRANCH} of the first job is edited; it now says:")
    tell(f"   {EDIT}")
    again = client.replay(first.id, branch=EDITED_BRANCH, output=EDIT)
    decoded: dict[BranchId, bool] = {}
    for event in _told(client, again):
        if event.kind == "SegmentFinished":
            decoded[BranchId(event.branch)] = not event.payload["decoded"].get("recalled_from")
    anew = [branch for branch in sorted(decoded, key=by_path) if decoded[branch]]
    kept = [branch for branch in sorted(decoded, key=by_path) if not decoded[branch]]
    tell(f"   So only {', '.join(anew)} ran again; {', '.join(kept)} did not.")
    audits = [client.audit(job).ok for job in (first.id, again.id)]
    tell(f"   Journals whose hash chains and tables are sound: {sum(audits)} of {len(audits)}")


def _told(client: Client, job: Job) -> Iterator[Event]:
    """The job's events, each said first."""
    begun = time.monotonic()
    tell(f"   {client.url}/jobs/{job.id}")
    for event in client.follow(job.id):
        if line := line_of(event):
            tell(f"   {time.monotonic() - begun:4.1f} s  {line}")
        yield event


def _open(url: str) -> None:
    """In a browser, where this machine has a screen for one."""
    there = os.environ.get("BROWSER") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if (there or os.uname().sysname == "Darwin") and webbrowser.open(url):
        tell(f"   the browser shows {url}")
    else:
        tell(f"   to see it grow, open {url}")
