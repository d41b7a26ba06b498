"""Finds the service that runs on this machine: `service.json` in the state folder tells where.

* *Written* by `anabranch up`, and by a `run` that has an engine of its own, once jobs can be answered; removed at the
  end.
* *Checked* before it is believed: `/healthz` at its address must tell the same instance. An address that another
  program, or another service, has taken over since is never taken for it.
* *One by itself.* Who serves an embedded database holds `service.lock` in the same folder, so there is never a second
  engine beside it. A lock ends with its process, however that ends: a file behind which nobody stands is removed, and
  that is said.
"""

import fcntl
import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from anabranch.service.cli.errors import AnotherServes, CannotStart
from anabranch.service.instance import INSTANCE
from anabranch.service.settings import Settings

STATE_FILE, LOCK_FILE = "service.json", "service.lock"
ANSWER_SECONDS = 5.0
"""How long a service that is there may take for its sign of life."""


class ServiceFile(BaseModel):
    """What `service.json` holds."""

    model_config = ConfigDict(frozen=True)

    url: str
    pid: int
    started: datetime
    instance: str
    database: str
    """A digest of its URL."""
    private: bool = False
    """It is one command's own, and ends with that."""


def find_service(settings: Settings) -> ServiceFile | None:
    """The service of this state folder, if it runs and has the database that is asked for.

    Raises CannotStart for one whose process lives and does not answer.
    """
    path = settings.state / STATE_FILE
    told = _read(path)
    if told is None or _means_another_database(settings, told):
        return None
    if _answers(told):
        return told
    if _is_held(settings):
        raise CannotStart(
            f"the service at {told.url} (process {told.pid}) lives and does not answer: try again shortly, or end it "
            f"with `kill {told.pid}`"
        )
    _remove(path, f"the service that it tells of ({told.url}, process {told.pid}) is gone")
    return None


@contextmanager
def hold(settings: Settings) -> Iterator[None]:
    """Keeps others from serving this state folder's embedded database while the block runs; of a database server, any
    number may.

    Raises AnotherServes and BadSettings.
    """
    settings.make_state_folder()
    if not settings.database.startswith("sqlite"):
        yield
        return
    with (settings.state / LOCK_FILE).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AnotherServes(_holder(settings)) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextmanager
def announced(settings: Settings, url: str, *, private: bool = False) -> Iterator[None]:
    """Tells other programs of this service while the block runs."""
    path = settings.state / STATE_FILE
    told = ServiceFile(
        url=url,
        pid=os.getpid(),
        started=datetime.now(UTC),
        instance=INSTANCE,
        database=_digest(settings.database),
        private=private,
    )
    written = path.with_name(f"{STATE_FILE}.{os.getpid()}")
    written.write_text(told.model_dump_json(indent=2), encoding="utf-8")
    written.replace(path)
    try:
        yield
    finally:
        now = _read(path)
        if now is not None and now.instance == INSTANCE:
            path.unlink(missing_ok=True)


def _read(path: Path) -> ServiceFile | None:
    try:
        return ServiceFile.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValidationError:
        _remove(path, "it tells of no service")
        return None


def _answers(told: ServiceFile) -> bool:
    """Whether this very service is at its address."""
    try:
        reply = httpx.get(f"{told.url}/healthz", timeout=ANSWER_SECONDS, trust_env=False)
        return bool(reply.json()["instance"] == told.instance)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, TypeError, LookupError):
        return False


def _means_another_database(settings: Settings, told: ServiceFile) -> bool:
    return "database" in settings.model_fields_set and _digest(settings.database) != told.database


def _digest(database: str) -> str:
    return hashlib.sha256(database.encode()).hexdigest()


def _is_held(settings: Settings) -> bool:
    try:
        with (settings.state / LOCK_FILE).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _holder(settings: Settings) -> str:
    pid = (settings.state / LOCK_FILE).read_text(encoding="utf-8") or "unknown"
    told = _read(settings.state / STATE_FILE)
    where = f" at {told.url}" if told is not None and str(told.pid) == pid else ""
    return f"a service of process {pid} runs{where} on {settings.state} already"


def _remove(path: Path, why: str) -> None:
    path.unlink(missing_ok=True)
    print(f"anabranch: removed {path}: {why}", file=sys.stderr, flush=True)
