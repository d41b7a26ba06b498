"""Reads all that an operator can set: `ANABRANCH_*` environment variables, read once and refused loudly when wrong."""

import difflib
import json
import os
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from anabranch.service.bounded_json import BadJson, read_json
from anabranch.service.settings.errors import BadSettings, words
from anabranch.service.settings.fields import PREFIX, Settings
from anabranch.service.settings.service_links import LINK, LINK_HINT, find_service_links

READ_BY_WORKERS = {"ANABRANCH_CACHE"}
"""Where models are kept: a worker reads it by itself, on its own machine."""


def read_settings(**overrides: Any) -> Settings:
    """The settings of this process: the environment, with `overrides` (what was said on the command line) over it.

    Overrides that are None count as not said. Raises BadSettings.
    """
    links = find_service_links(os.environ)
    _refuse_unknown(os.environ.keys() - links)
    _refuse_bad_json(os.environ)
    said = {name: value for name, value in overrides.items() if value is not None}
    if f"{PREFIX}PORT" in links:
        said.setdefault("port", Settings.model_fields["port"].default)
    try:
        return Settings(**said)
    except ValidationError as error:
        raise BadSettings("; ".join(_told(fault) for fault in error.errors())) from error
    except SettingsError as error:
        field = re.search(r'field "(\w+)"', str(error))
        name = f"{PREFIX}{field[1].upper()}" if field else "a setting"
        raise BadSettings(f"{name} is written as JSON, and this is none: {error.__cause__}") from error


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
    if LINK.fullmatch(name):
        return LINK_HINT
    near = difflib.get_close_matches(name.upper(), known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are: {', '.join(sorted(known))}"


def _told(fault: Any) -> str:
    name, *inner = (str(part) for part in fault["loc"]) if fault["loc"] else ("",)
    where = ".".join([name.upper(), *inner])
    hint = f"; {LINK_HINT}" if name == "port" and "://" in str(fault["input"]) else ""
    return f"{PREFIX}{where}: {words(fault)}{hint}" if where else words(fault)
