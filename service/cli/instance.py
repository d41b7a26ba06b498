"""Runs a service of this process: brings it up, waits for it, and takes it down again."""

import asyncio
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from types import FrameType

from anabranch.service.cli.errors import CannotStart
from anabranch.service.cli.extras import require_extras
from anabranch.service.readiness import NotReady, RunningService
from anabranch.service.settings import Settings
from anabranch.service.start_check import check_settings
from anabranch.service.tenants import file as tenants
from anabranch.workers.cluster.ray_private import LOGGERS


@contextmanager
def instance(settings: Settings) -> Iterator[RunningService]:
    """Serves while the block runs, which begins once a job can be answered. What it waits for is told on stderr.

    Raises CannotStart, BadSettings, BadTenants and StoreError. SIGTERM ends it as Ctrl-C does: by KeyboardInterrupt,
    after which organizers hand their jobs over.
    """
    from anabranch.service.api.server import CannotListen

    for name in LOGGERS:
        logging.getLogger(name).addFilter(lambda record: record.levelno >= logging.WARNING)
    signal.signal(signal.SIGTERM, _interrupt)
    require_extras(settings)
    check_settings(settings)  # better refused now than when Ray is up
    for pool in settings.pool_settings():
        settings.require_key(pool.name)
    if settings.tenants is not None:
        tenants.read(settings.tenants)
    asyncio.run(prepare_store(settings))
    try:
        with redirect_stdout(sys.stderr), _start(settings) as service:
            signal.signal(signal.SIGTERM, _interrupt)  # Ray has put its own in place
            service.wait_until_ready(_report)
            yield service
    except (CannotListen, NotReady) as error:
        raise CannotStart(str(error)) from error


def _start(settings: Settings) -> AbstractContextManager[RunningService]:
    if settings.on_ray:
        from anabranch.service.app import run_service

        return run_service(settings)
    from anabranch.service.one_process import run_in_one_process

    return run_in_one_process(settings)


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


def _report(words: str) -> None:
    print(f"waiting: {words}", file=sys.stderr, flush=True)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
