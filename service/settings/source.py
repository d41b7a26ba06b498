"""Names where a process finds its settings. Only the name travels to it: settings hold secrets, and Ray Serve keeps,
and shows, the arguments of what it starts.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from anabranch.service.settings.fields import Settings
from anabranch.service.settings.reading import read_settings
from anabranch.workers.settings import PoolSettings


class SettingsSource(Protocol):
    """Reads the settings, in whatever process it has come to."""

    def read(self) -> Settings:
        """Raises BadSettings."""
        ...


@dataclass(frozen=True, slots=True)
class OwnEnvironment:
    """The process's own environment, over a file of its own machine: how settings reach the pods of a cluster."""

    config: str | None = None
    """The file. None: the one that ANABRANCH_CONFIG names, if any."""

    def read(self) -> Settings:
        return read_settings(config=self.config)


@dataclass(frozen=True, slots=True)
class WholeFile:
    """A file that holds all settings, whatever the environment says: how one process hands its own to those that it
    starts on the same machine."""

    path: str

    @classmethod
    def write(cls, settings: Settings, path: Path) -> "WholeFile":
        """Writes the file, which its owner alone may read."""
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(json.dumps(settings.model_dump(), default=_plain), encoding="utf-8")
        return cls(str(path))

    def read(self) -> Settings:
        return _Whole.model_validate_json(Path(self.path).read_bytes())


def read_pool(source: SettingsSource, name: str) -> PoolSettings:
    """Reads what a replica of this pool is made of; for that, its process imports nothing else of the service. Raises
    BadSettings."""
    settings = source.read()
    settings.require_key(name)
    return next(pool for pool in settings.pool_settings() if pool.name == name)


class _Whole(Settings):
    """Settings that are read from nowhere else."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        *_: Any,
        **__: Any,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def _plain(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
