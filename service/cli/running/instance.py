"""Runs a service of this process: brings it up, waits for it, and takes it down again."""

import asyncio
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from types import FrameType

from anabranch.service import loops
from anabranch.service.cli.errors import CannotStart
from anabranch.service.cli.extras import require_extras
from anabranch.service.readiness import NotReady, RunningService
from anabranch.service.settings import BadSettings, Settings, read_settings
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
    end_by_interrupt()
    require_extras(settings)
    check_settings(settings)  # better refused now than when Ray is up
    for pool in settings.pool_settings():
        settings.require_key(pool.name)
    if settings.tenants is not None:
        tenants.read(settings.tenants)
    asyncio.run(prepare_store(settings))
    try:
        with redirect_stdout(sys.stderr), _start(settings) as service:
            end_by_interrupt()  # Ray has put its own in place
            service.wait_until_ready(_report)
            loops.spare_what_is_loaded()
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

    Raises CannotStart, which names the command, BadSettings, StoreRefuses and StoreAway.
    """
    from anabranch.service.store.errors import SchemaBehind
    from anabranch.service.store.sql import schema
    from anabranch.service.store.sql.database import sqlite_file

    file = sqlite_file(settings.database)
    if file is None:
        try:
            await schema.check(settings.database)
        except SchemaBehind as error:
            raise CannotStart(_with_command(str(error), settings)) from error
        return
    settings.make_state_folder()
    if not file.parent.is_dir():
        raise BadSettings(f"ANABRANCH_DATABASE: there is no folder {file.parent} for {file.name}: make it")
    await schema.upgrade(settings.database)


def _with_command(told: str, settings: Settings) -> str:
    """The command that is told works on the database that was named on the command line, too."""
    if settings.database == read_settings().database:
        return told
    return told.replace("`anabranch db upgrade`", "`anabranch db upgrade --database URL` with the same URL")


def _report(words: str) -> None:
    print(f"waiting: {words}", file=sys.stderr, flush=True)


def end_by_interrupt() -> None:
    """From now on SIGTERM ends this process as Ctrl-C does."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
