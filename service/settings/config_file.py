"""Reads the YAML file of settings that `ANABRANCH_CONFIG` names.

Its keys are the settings' names in lower case. The environment goes over it, a whole setting at a time. It may lie in a
ConfigMap that many can read: secrets are refused in it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr

from anabranch.service.bounded_yaml import BadYaml, read_yaml
from anabranch.service.settings.errors import BadSettings, suggest
from anabranch.service.settings.fields import Settings
from anabranch.service.settings.pools import PREFIX

MAX_BYTES = 1_000_000


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
    """Why the setting cannot have this value, where Pydantic would take it all the same: true for 1."""
    kind = Settings.model_fields[name].annotation
    if isinstance(value, bool) and bool not in (kind, *get_args(kind)):
        return f"{name}: {str(value).lower()} is none of its values"
    return None
