"""Reads the YAML file of settings that `ANABRANCH_CONFIG` names.

Its keys are the settings' names in lower case. The environment goes over it, a whole setting at a time. It may lie in a
ConfigMap that many can read: secrets are refused in it.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr

from anabranch.service.bounded_yaml import BadYaml, read_yaml
from anabranch.service.settings.errors import BadSettings, suggest
from anabranch.service.settings.fields import Settings
from anabranch.service.settings.pools import PREFIX

MAX_BYTES = 1_000_000
_WITH_PASSWORD = re.compile(
    r"[a-z][a-z0-9+.-]*://([^/?#@:]*:[^/?#]+@|[^?#]*\?([^#]*&)?(password|sslpassword)=[^&#])", re.IGNORECASE
)
_KEYS = {"api_key", "hf_token"}
"""Options of engines that are secrets."""
_ELSEWHERE = "keys are only named here: a pool says upstream_key_env; or set it in the environment"
_INSTEAD = {"database": f"set {PREFIX}DATABASE in the environment"}


def read_config(path: Path) -> Mapping[str, Any]:
    """What the file says, by setting. An empty file says nothing. Raises BadSettings."""
    where = f"{PREFIX}CONFIG: {path}"
    try:
        with path.open("rb") as file:
            written = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadSettings(f"{where} cannot be read: {error.strerror}") from error
    if len(written) > MAX_BYTES:
        raise BadSettings(f"{where} has more than {MAX_BYTES:,} bytes")
    try:
        said = read_yaml(written)
    except BadYaml as error:
        raise BadSettings(f"{where}: {error}") from error
    if said is None:
        return {}
    if not isinstance(said, dict):
        raise BadSettings(f"{where} must be a mapping of settings, such as `replicas: 2`")
    faults = [fault for name, value in said.items() if (fault := _fault_of(name) or _fault_in(name, value))]
    if faults:
        raise BadSettings(f"{where}: " + "; ".join(faults))
    return {name: value for name, value in said.items() if value is not None}


def _fault_of(name: str) -> str | None:
    """Why this key may not stand in the file."""
    field = Settings.model_fields.get(name)
    if field is None:
        known = [each for each in Settings.model_fields if _fault_of(each) is None]
        return f"{name[:100]} is not a setting; {suggest(name.lower().removeprefix(PREFIX.lower()), known)}"
    if name == "config":
        return "a file of settings names no other"
    if field.annotation == SecretStr | None:
        return (
            f"{name} is a secret, and files are read by many: set {PREFIX}{name.upper()} in the environment"
        )
    return None


def _fault_in(name: str, value: Any) -> str | None:
    """Why the setting cannot have this value, where Pydantic would take it all the same: true for 1, or a secret."""
    if (where := _find_secret(name, value)) is not None:
        return f"{where} holds a secret, and files are read by many: {_INSTEAD.get(name, _ELSEWHERE)}"
    kind = Settings.model_fields[name].annotation
    if isinstance(value, bool) and bool not in (kind, *get_args(kind)):
        return f"{name}: {str(value).lower()} is none of its values"
    return None


def _find_secret(where: str, value: Any) -> str | None:
    """The place in a value, which is no deeper than YAML is read, of a URL with a password or of a key."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        place = f"{where}.{name}"
        if (found := place if name in _KEYS and each else _find_secret(place, each)) is not None:
            return found
    return where if isinstance(value, str) and _WITH_PASSWORD.match(value) else None
