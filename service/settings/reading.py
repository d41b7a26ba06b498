"""Reads all that an operator can set: `ANABRANCH_*` variables of the environment over a YAML file, read once and
refused loudly when wrong.
"""

import json
import os
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource, SettingsError

from anabranch.service.bounded_json import BadJson, read_json
from anabranch.service.settings.config_file import read_config
from anabranch.service.settings.errors import BadSettings, describe_fault, suggest
from anabranch.service.settings.fields import Settings
from anabranch.service.settings.pools import PREFIX, PoolDeclaration, Price
from anabranch.service.settings.service_links import LINK, LINK_HINT, find_service_links

FOLLOWS = "default_factory_not_called"
"""Pydantic's word for a default that hangs on a setting which is wrong: nothing of its own."""
READ_BY_WORKERS = {"ANABRANCH_CACHE"}
"""Where models are kept: a worker reads it by itself, on its own machine."""
UPSTREAM_KEY = "UPSTREAM_KEY"
"""What ANABRANCH_UPSTREAM_KEY may be called, too."""


def read_settings(**overrides: Any) -> Settings:
    """The settings of this process: what the file of ANABRANCH_CONFIG says, the environment over it, and `overrides`
    (what was said on the command line) over both, each a whole setting at a time.

    Overrides that are None count as not said. Raises BadSettings.
    """
    links = find_service_links(os.environ)
    _refuse_unknown(os.environ.keys() - links)
    _refuse_bad_json(os.environ)
    said = {name: value for name, value in overrides.items() if value is not None}
    linked = [name for name in Settings.model_fields if PREFIX + name.upper() in links]
    over = {name: value for name, value in _from_environment().items() if name not in linked} | said
    path = over.get("config")
    of_links = {name: Settings.model_fields[name].default for name in linked}
    written = of_links | dict(read_config(Path(path)) if path is not None else {})
    try:
        return Settings(**(written | over))
    except ValidationError as error:
        of_file = written.keys() - over.keys()
        faults = [fault for fault in error.errors() if fault["type"] != FOLLOWS]
        raise BadSettings("; ".join(_tell(fault, path, of_file) for fault in faults)) from error


def _from_environment() -> dict[str, Any]:
    try:
        said = EnvSettingsSource(Settings)()
    except SettingsError as error:
        field = re.search(r'field "(\w+)"', str(error))
        name = f"{PREFIX}{field[1].upper()}" if field else "a setting"
        raise BadSettings(f"{name} is written as JSON, and this is none: {error.__cause__}") from error
    if (key := os.environ.get(UPSTREAM_KEY)) and "upstream_key" not in said:
        said["upstream_key"] = key
    return said


def _refuse_bad_json(environment: Mapping[str, str]) -> None:
    """What is JSON is read within the bound that every door has."""
    for name, value in environment.items():
        if name.startswith(PREFIX) and value.lstrip()[:1] in {"{", "["}:
            try:
                read_json(value)
            except json.JSONDecodeError as error:
                raise BadSettings(f"{name} is written as JSON, and this is none: {error}") from error
            except BadJson as error:
                raise BadSettings(f"{name}: {error}") from error


def _refuse_unknown(environment: Iterable[str]) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields} | READ_BY_WORKERS
    for name in sorted(environment):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            raise BadSettings(f"{name} is not a setting; {_hint(name, known)}")


def _hint(name: str, known: Collection[str]) -> str:
    return LINK_HINT if LINK.fullmatch(name) else suggest(name.upper(), known)


def _tell(fault: Any, path: object, of_file: Collection[str]) -> str:
    """A fault, and where the setting was set; `of_file` are those that the file has said."""
    name, *inner = (str(part) for part in fault["loc"]) if fault["loc"] else ("",)
    if not name:
        return describe_fault(fault)
    where = f"{PREFIX}CONFIG: {path}: {name}" if name in of_file else PREFIX + name.upper()
    hint = f"; {LINK_HINT}" if LINK.fullmatch(PREFIX + name.upper()) and "://" in str(fault["input"]) else ""
    if fault["type"] == "extra_forbidden":
        known = (
            Price.model_fields if "price" in inner[:-1] or name == "prices" else PoolDeclaration.model_fields
        )
        return (
            f"{'.'.join([where, *inner[:-1]])}: there is no {inner[-1][:60]!r}; {suggest(inner[-1], known)}"
        )
    return f"{'.'.join([where, *inner])}: {describe_fault(fault)}{hint}"
