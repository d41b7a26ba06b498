"""Runs a service of this process: brings it up, waits for it, and takes it down again."""

import asyncio
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from types import FrameType
from typing import TYPE_CHECKING

from anabranch.service.cli.errors import CannotStart
from anabranch.service.settings import Settings
from anabranch.service.start_check import check_settings
from anabranch.service.tenants import file as tenants
from anabranch.workers.cluster.ray_private import LOGGERS

if TYPE_CHECKING:
    from anabranch.service.app import RunningService


@contextmanager
def instance(settings: Settings) -> Iterator[str]:
    """Serves while the block runs; gives its URL once a job can be answered. What it waits for is told on stderr.

    Raises CannotStart, BadSettings, BadTenants and StoreError. SIGTERM ends it as Ctrl-C does: by KeyboardInterrupt,
    after which organizers hand their jobs over.
    """
    from anabranch.service.api.server import CannotListen

    for name in LOGGERS:
        logging.getLogger(name).addFilter(lambda record: record.levelno >= logging.WARNING)
    signal.signal(signal.SIGTERM, _interrupt)
    check_settings(settings)  # better refused now than when Ray is up
    for pool in settings.pool_settings():
        settings.require_key(pool.name)
    if settings.tenants is not None:
        tenants.read(settings.tenants)
    asyncio.run(prepare_store(settings))
    from anabranch.service.app import run_service

    try:
        with redirect_stdout(sys.stderr), run_service(settings) as service:
            signal.signal(signal.SIGTERM, _interrupt)  # Ray has put its own in place
            _await_ready(service)
            yield service.url
    except CannotListen as error:
        raise CannotStart(str(error)) from error


async def prepare_store(settings: Settings) -> None:
    """An embedded database is made and brought up to date; any other must be.

    Raises SchemaBehind, which names the command, and StoreAway.
    """
    from anabranch.service.store.sql import schema

    if settings.database.startswith("sqlite"):
        settings.make_state_folder()
        await schema.upgrade(settings.database)
    else:
        await schema.check(settings.database)


def _await_ready(service: "RunningService") -> None:
    from anabranch.service.cluster import NotReady

    try:
        service.wait_until_ready(_report)
    except NotReady as error:
        raise CannotStart(str(error)) from error


def _report(words: str) -> None:
    print(f"waiting: {words}", file=sys.stderr, flush=True)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
