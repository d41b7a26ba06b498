"""Finds whom a command talks to: the service at ANABRANCH_URL, the one that runs on this machine, or one of its own."""

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from anabranch.client import Client
from anabranch.service.cli.errors import AnotherServes
from anabranch.service.cli.running.instance import instance, prepare_store
from anabranch.service.cli.running.service_file import announced, find_service, hold
from anabranch.service.settings import Settings, read_settings

LOOK_SECONDS = 0.5
OPEN = {"tenants": None, "ask_for_keys": "never"}
"""Settings of a service that serves one command, on this machine, of somebody who may read the store."""


@contextmanager
def reading() -> Iterator[Client]:
    """For commands that read and decide. Where no service runs, the REST surface is opened over the store, for this one
    command and nobody else: no engine, no organizer."""
    settings = read_settings()
    address = _address(settings)
    if address:
        with Client(address, key=key_of(settings)) as client:
            yield client
    else:
        from anabranch.service.api.server import serve_api

        asyncio.run(prepare_store(settings))
        unattended = {"retention_days": None, "pack_after_days": None, "deliver_webhooks": False}
        alone = settings.model_copy(update={**unattended, **OPEN})
        with serve_api(alone) as url, Client(url) as client:
            yield client


@contextmanager
def running() -> Iterator[Client]:
    """For commands that need jobs to be run. Where no service runs, one of its own is started and stopped; where
    another command has such a one, it waits for that to end."""
    settings = read_settings()
    with ExitStack() as stack:
        address = _held_or_found(stack, settings)
        if address:
            yield stack.enter_context(Client(address, key=key_of(settings)))
            return
        alone = settings.model_copy(update={"port": 0, **OPEN})
        url = stack.enter_context(instance(alone)).url
        stack.enter_context(announced(settings, url, private=True))
        yield stack.enter_context(Client(url))


def key_of(settings: Settings) -> str | None:
    return settings.key.get_secret_value() if settings.key is not None else None


def job_link(job: str) -> str:
    """Where a person looks at the job; see `page_link`."""
    return page_link(f"jobs/{job}")


def page_link(path: str) -> str:
    """A page of the dashboard: of the service in use, or of the one that can be brought up."""
    settings = read_settings()
    address = lasting_address(settings)
    if address:
        return f"{address.rstrip('/')}/{path}"
    return f"http://{settings.host}:{settings.port}/{path} (while `anabranch up` runs)"


def _held_or_found(stack: ExitStack, settings: Settings) -> str | None:
    """The address of a service that stays, or None, and then nobody else serves while the stack is open."""
    told = False
    while True:
        if address := lasting_address(settings):
            return address
        try:
            stack.enter_context(hold(settings))
        except AnotherServes as error:
            if not told:
                print(f"waiting: {error.who}", file=sys.stderr, flush=True)
                told = True
            time.sleep(LOOK_SECONDS)
        else:
            return None


def lasting_address(settings: Settings) -> str | None:
    """The address of a service that stays: ANABRANCH_URL, or the one that runs on this machine."""
    if settings.url:
        return settings.url
    found = find_service(settings)
    return None if found is None or found.private else found.url


def _address(settings: Settings) -> str | None:
    found = None if settings.url else find_service(settings)
    return settings.url or (found.url if found else None)
