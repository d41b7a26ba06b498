"""Finds whom a command talks to: the service at ANABRANCH_URL, or, where none is set, one of its own."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from anabranch.client import Client
from anabranch.service.cli.instance import instance, prepare_store
from anabranch.service.settings import Settings, read_settings


@contextmanager
def reading() -> Iterator[Client]:
    """For commands that read and decide. Without ANABRANCH_URL the REST surface is opened over the store, for this one
    command and nobody else: no engine, no organizer."""
    settings = read_settings()
    if settings.url:
        with Client(settings.url, key=key_of(settings)) as client:
            yield client
    else:
        from anabranch.service.api.server import serve_api

        asyncio.run(prepare_store(settings))
        alone = settings.model_copy(update={"retention_days": None, "tenants": None})
        with serve_api(alone) as url, Client(url) as client:
            yield client


@contextmanager
def running() -> Iterator[Client]:
    """For commands that need jobs to be run. Without ANABRANCH_URL a private instance is started and stopped."""
    settings = read_settings()
    if settings.url:
        with Client(settings.url, key=key_of(settings)) as client:
            yield client
    else:
        alone = settings.model_copy(update={"port": 0, "tenants": None})
        with instance(alone) as service, Client(service.url) as client:
            yield client


def key_of(settings: Settings) -> str | None:
    return settings.key.get_secret_value() if settings.key is not None else None


def job_link(job: str) -> str:
    """Where a person looks at the job: at the service in use, or at the one that can be brought up."""
    settings = read_settings()
    if settings.url:
        return f"{settings.url.rstrip('/')}/jobs/{job}"
    return f"http://{settings.host}:{settings.port}/jobs/{job} (while `anabranch up` runs)"
