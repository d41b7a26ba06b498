"""Implements `anabranch up`: the whole service on this machine."""

import os
import sys
import time
from typing import Annotated

import typer

from anabranch.client import Client
from anabranch.service.cli.choices import EngineName
from anabranch.service.cli.connect import key_of
from anabranch.service.cli.jobs.commands import follow
from anabranch.service.cli.output import AsJson, tell, tell_json, tell_outcome
from anabranch.service.cli.running.instance import instance
from anabranch.service.cli.running.service_file import announced, hold
from anabranch.service.readiness import RunningService
from anabranch.service.settings import BadSettings, read_settings

LOOK_SECONDS = 1.0
FIRST_QUESTION = "Name the largest planet, the longest river and the highest mountain."
"""Falls into parts that do not depend on each other, which even half a billion parameters can answer."""


def up(
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="0 takes a free one.  [default: 8000]")] = None,
    engine: Annotated[
        EngineName | None, typer.Option(help="What decodes.  [default: vllm; openai with --upstream]")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="A built-in model, a folder, a Hugging Face name, or the upstream's own name of one."
        ),
    ] = None,
    upstream: Annotated[
        str | None,
        typer.Option(
            help="URL of an OpenAI-compatible endpoint that decodes, such as http://localhost:11434/v1 of Ollama; "
            "its key is in UPSTREAM_KEY."
        ),
    ] = None,
    database: Annotated[str | None, typer.Option(help="sqlite:///FILE or postgresql://…")] = None,
    replicas: Annotated[int | None, typer.Option(help="Engines in the worker pool.  [default: 1]")] = None,
    first_job: Annotated[
        bool, typer.Option("--first-job", help="Answer a first question, then serve on.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Serve until Ctrl-C: worker pool, organizers, REST and dashboard. Left-out options come from ANABRANCH_*."""
    if upstream and engine not in {None, "openai"}:
        raise BadSettings(f"--upstream decodes elsewhere, and engine {engine} here: leave one of them out")
    settings = read_settings(
        host=host,
        port=port,
        engine=engine.value if engine else ("openai" if upstream else None),
        model=model,
        upstream_url=upstream,
        database=database,
        replicas=replicas,
    )
    try:
        with hold(settings), instance(settings) as service, announced(settings, service.url):
            url = service.url
            if as_json:
                tell_json({"url": url, "status": "ready"})
            else:
                tell(f"Anabranch is ready: {url}")
            if first_job:
                _answer_first_job(url, key_of(settings))
            _stay(service)
    except KeyboardInterrupt:
        return


def _stay(service: RunningService) -> None:
    """Until Ctrl-C, or until it has ended by itself: then nothing here can be shut down in order any more."""
    while (why := service.why_ended()) is None:
        time.sleep(LOOK_SECONDS)
    print(f"anabranch: {why}", file=sys.stderr, flush=True)
    os._exit(1)


def _answer_first_job(url: str, key: str | None) -> None:
    with Client(url, key=key) as client:
        job = client.submit(FIRST_QUESTION, policy="async-think").id
        tell_outcome(follow(client, job), f"{url}/jobs/{job}")
