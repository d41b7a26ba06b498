"""Reads the tenants file, ANABRANCH_TENANTS: how much each tenant may spend, how often it may call, and with which
keys, besides those in the store.

    {"acme": {"keys": ["<SHA-256 of a key>"], "tokens_per_day": 1000000, "tokens_per_job": 20000},
     "us": {"keys": ["…"], "operator": true}}

`anabranch keys new acme` writes it. A key of the file may do all that its tenant may, and never expires.
"""

import json
import logging
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from anabranch.service.store.jobs.quotas import Quota
from anabranch.service.store.keys import KeyRow, digest, draw_key, tenant_name
from anabranch.service.tenants.callers import Caller, Role

logger = logging.getLogger(__name__)


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
    requests_per_minute: int | None = Field(default=None, ge=1)
    """Not set: what ANABRANCH_TENANT_REQUESTS_PER_MINUTE says."""
    streams: int | None = Field(default=None, ge=1)
    """Open at once. Not set: what ANABRANCH_TENANT_STREAMS says."""

    @model_validator(mode="after")
    def _can_be_reserved(self) -> Self:
        """A job's budget is what is reserved of the day: without one, the first job would take all of it."""
        for what in ("tokens", "cost"):
            if getattr(self, f"{what}_per_day") is not None and getattr(self, f"{what}_per_job") is None:
                raise ValueError(f"{what}_per_day needs {what}_per_job, the budget of jobs that name none")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """What holds for tenants of which the file says nothing else."""

    requests_per_minute: int | None = None
    streams: int | None = None


NOTHING_SAID = Tenant()
_File = TypeAdapter(dict[str, Tenant])


class Tenants:
    """The file, as it is now: what changes in it counts at once."""

    def __init__(self, path: Path | None, usual: Usual = Usual()) -> None:
        """None is a file in which nothing stands. Raises BadTenants."""
        self._path = path
        self._usual = usual
        self._stamp = self._stamp_now()
        self._take(read(path) if path is not None else {})

    def caller(self, of_digest: str) -> Caller | None:
        """Whose key this is the digest of."""
        self._look_again()
        return self._callers.get(of_digest)

    def caller_of_row(self, row: KeyRow) -> Caller:
        """Who has this key of the store."""
        self._look_again()
        tenant = self._tenants.get(row.tenant, NOTHING_SAID)
        return self._caller(
            row.tenant,
            tenant,
            sees_all=row.operator or tenant.operator,
            roles=frozenset(
                Role(role) for role in row.roles if role in set(Role)
            ),  # a newer release may know more
            key=row.name,
            expires_at=row.expires_at,
        )

    def of(self, tenant: str) -> Caller:
        """What holds for the jobs of this tenant."""
        self._look_again()
        said = self._tenants.get(tenant, NOTHING_SAID)
        return self._caller(tenant, said, sees_all=said.operator)

    def has_keys(self, tenant: str) -> bool:
        """Whether somebody may call for this tenant by a key of the file."""
        self._look_again()
        return bool(self._tenants.get(tenant, NOTHING_SAID).keys)

    def _look_again(self) -> None:
        """A file that has become unusable changes nothing: whoever had a key keeps it."""
        if self._path is None:
            return
        try:
            stamp = self._stamp_now()
            if stamp != self._stamp:
                self._stamp = stamp
                self._take(read(self._path))
        except (BadTenants, OSError) as error:
            logger.warning("the tenants stay as they were: %s", error)

    def _take(self, tenants: Mapping[str, Tenant]) -> None:
        self._tenants = tenants
        self._callers = {
            key.lower(): self._caller(name, tenant, sees_all=tenant.operator)
            for name, tenant in tenants.items()
            for key in tenant.keys
        }

    def _caller(self, name: str, tenant: Tenant, **of_key: object) -> Caller:
        """Whoever has a key of this tenant's."""
        limits = {
            what: getattr(self._usual, what) if (said := getattr(tenant, what)) is None else said
            for what in ("requests_per_minute", "streams")
        }
        return Caller(
            tenant=name,
            quota=Quota(tokens=tenant.tokens_per_day, cost=tenant.cost_per_day),
            tokens_per_job=tenant.tokens_per_job,
            cost_per_job=tenant.cost_per_job,
            **limits,
            **of_key,  # type: ignore[arg-type]
        )

    def _stamp_now(self) -> tuple[int, int]:
        if self._path is None:
            return 0, 0
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
    """A new key, known only to whoever calls this; the file, made if need be, gets its digest. Raises BadTenants and
    BadKey."""
    tenant = tenant_name(tenant)
    tenants = read(path) if path.exists() else {}
    before = tenants.get(tenant, NOTHING_SAID)
    key = draw_key()
    with_key = {"keys": (*before.keys, digest(key)), "operator": operator or before.operator}
    tenants[tenant] = before.model_copy(update=with_key)
    _write(path, tenants)
    return key


def remove_keys(path: Path, begin: str) -> int:
    """Takes the keys out of the file whose digests begin so; says how many. Raises BadTenants."""
    tenants = read(path)
    left = {
        name: tenant.model_copy(
            update={"keys": tuple(key for key in tenant.keys if not key.lower().startswith(begin))}
        )
        for name, tenant in tenants.items()
    }
    gone = sum(len(tenants[name].keys) - len(tenant.keys) for name, tenant in left.items())
    if gone:
        _write(path, left)
    return gone


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
