"""Reads the tenants file, ANABRANCH_TENANTS: who may call, and how much each may spend.

    {"acme": {"keys": ["<SHA-256 of a key>"], "tokens_per_day": 1000000, "tokens_per_job": 20000},
     "us": {"keys": ["…"], "operator": true}}

`anabranch keys new acme` writes it. Keys are random and long, so a plain digest gives nothing away.
"""

import hashlib
import json
import logging
import os
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from anabranch.dag.job import Budget
from anabranch.service.store.jobs.quotas import NO_QUOTA, Quota

logger = logging.getLogger(__name__)

KEY_PREFIX = "ab-"
KEY_BYTES = 32


class BadTenants(Exception):
    """The tenants file cannot be used. The message says where and why."""


class Tenant(BaseModel):
    """One entry of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: tuple[str, ...] = ()
    """SHA-256 of each, as hex."""
    operator: bool = False
    """Sees the jobs of all tenants, and /metrics."""
    tokens_per_day: int | None = Field(default=None, ge=1)
    tokens_per_job: int | None = Field(default=None, ge=1)
    """Budget of jobs that name none."""
    cost_per_day: float | None = Field(default=None, gt=0)
    cost_per_job: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _can_be_reserved(self) -> Self:
        """A job's budget is what is reserved of the day: without one, the first job would take all of it."""
        for what in ("tokens", "cost"):
            if getattr(self, f"{what}_per_day") is not None and getattr(self, f"{what}_per_job") is None:
                raise ValueError(f"{what}_per_day needs {what}_per_job, the budget of jobs that name none")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever sent a request."""

    tenant: str = "default"
    """Whose jobs it submits."""
    sees_all: bool = True
    quota: Quota = NO_QUOTA
    tokens_per_job: int | None = None
    cost_per_job: float | None = None

    @property
    def scope(self) -> str | None:
        """The tenant whose jobs it sees; None for all."""
        return None if self.sees_all else self.tenant

    def bound(self, budget: Budget) -> Budget:
        """A job's budget; where it names none, and the caller has a quota, the tenant's own for one job."""
        tokens = self.tokens_per_job if budget.tokens is None else budget.tokens
        cost = self.cost_per_job if budget.cost is None else budget.cost
        return replace(budget, tokens=tokens, cost=cost)


ANYBODY = Caller()
"""Where there are no tenants, everybody may do everything."""

_File = TypeAdapter(dict[str, Tenant])


class Tenants:
    """The file, as it is now: a key that is added, or taken away, counts at once."""

    def __init__(self, path: Path) -> None:
        """Raises BadTenants."""
        self._path = path
        self._stamp = self._stamp_now()
        self._callers = _callers(read(path))

    def caller(self, key: str) -> Caller | None:
        """Whose key this is."""
        self._look_again()
        return self._callers.get(digest(key))

    def _look_again(self) -> None:
        """A file that has become unusable changes nothing: whoever had a key keeps it."""
        try:
            stamp = self._stamp_now()
            if stamp != self._stamp:
                self._stamp = stamp
                self._callers = _callers(read(self._path))
        except (BadTenants, OSError) as error:
            logger.warning("the tenants stay as they were: %s", error)

    def _stamp_now(self) -> tuple[int, int]:
        try:
            found = self._path.stat()
        except OSError as error:
            raise _unreadable(self._path, error) from error
        return found.st_mtime_ns, found.st_ino


def read(path: Path) -> dict[str, Tenant]:
    """Raises BadTenants."""
    try:
        return _File.validate_json(path.read_text())
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"]) or "all of it"
        raise BadTenants(f"{path}: {where}: {fault['msg']}") from error
    except UnicodeDecodeError as error:
        raise BadTenants(f"{path}: it is not text in UTF-8") from error
    except OSError as error:
        raise _unreadable(path, error) from error


def add_key(path: Path, tenant: str, *, operator: bool = False) -> str:
    """A new key, known only to whoever calls this; the file, made if need be, gets its digest. Raises BadTenants."""
    tenants = read(path) if path.exists() else {}
    before = tenants.get(tenant, Tenant())
    key = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
    with_key = {"keys": (*before.keys, digest(key)), "operator": operator or before.operator}
    tenants[tenant] = before.model_copy(update=with_key)
    _write(path, tenants)
    return key


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _write(path: Path, tenants: dict[str, Tenant]) -> None:
    """Whole or not at all, and for nobody else's eyes."""
    shown = {name: tenant.model_dump(exclude_defaults=True) for name, tenant in tenants.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(json.dumps(shown, indent=2) + "\n")
    new.replace(path)


def _unreadable(path: Path, error: OSError) -> BadTenants:
    return BadTenants(f"{path}: {error.strerror}; `anabranch keys new TENANT` makes it")


def _callers(tenants: dict[str, Tenant]) -> dict[str, Caller]:
    """By the digest of each key."""
    return {
        key.lower(): Caller(
            tenant=name,
            sees_all=tenant.operator,
            quota=Quota(tokens=tenant.tokens_per_day, cost=tenant.cost_per_day),
            tokens_per_job=tenant.tokens_per_job,
            cost_per_job=tenant.cost_per_job,
        )
        for name, tenant in tenants.items()
        for key in tenant.keys
    }
