"""Writes docs/settings.md: every setting with its environment variable, type, default and meaning, from the code."""

import re
from dataclasses import asdict
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from anabranch.service.settings import PREFIX, Settings, fields

PAGE = Path(__file__).parent / "settings.md"
HEAD = """# Settings

Every setting is an environment variable. It is read once, when a command starts; an option on the command line wins
over it, and an empty variable counts as not set. A variable that begins with `ANABRANCH_` and is no setting is refused
by its name, and so is a value that a setting cannot have.

Settings may stand in a YAML file, too, which `ANABRANCH_CONFIG` names: by the same names in lower case, without the
prefix. A variable goes over the file's setting, the whole of it. Secrets are refused in the file; so are aliases, tags
and keys that stand twice. (Written by `docs/settings_page.py` from
`service/settings/fields.py`.)
"""
TAIL = """
## Read elsewhere

| variable | type | default | meaning |
|---|---|---|---|
| `ANABRANCH_CACHE` | path | the user's cache | Where each machine keeps models that were prepared for it. |
| `OTEL_*` | | | OpenTelemetry's own: where traces go, and whether with prompts ([telemetry](telemetry.md)). |
"""
COMPUTED = {
    "state": "`$XDG_DATA_HOME/anabranch`, or `~/.local/share/anabranch`",
    "database": "`sqlite:///` and `anabranch.db` in ANABRANCH_STATE",
}
"""Defaults that depend on the machine."""
LIMITS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
WORDS: dict[Any, str] = {str: "text", int: "integer", float: "number", bool: "true or false", Path: "path"}


def page() -> str:
    """The page as it should be."""
    lines = [HEAD.rstrip()]
    headings = _headings()
    for name, field in Settings.model_fields.items():
        if name in headings:
            lines += [
                "",
                f"## {headings[name]}",
                "",
                "| variable | type | default | meaning |",
                "|---|---|---|---|",
            ]
        cells = (f"`{PREFIX}{name.upper()}`", _type(field), _default(name, field), field.description or "")
        lines.append("| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n" + TAIL


def _headings() -> dict[str, str]:
    """The comment that begins each group of settings, by the group's first setting."""
    source = Path(fields.__file__).read_text(encoding="utf-8")
    found = re.findall(r"^    # -- (.+)\n    (\w+):", source, re.MULTILINE)
    return {name: heading[0].upper() + heading[1:] for heading, name in found}


def _type(field: FieldInfo) -> str:
    limits = [(word, value) for each in field.metadata for word, value in asdict(each).items()]
    told = [f"{LIMITS[word]} {value}" for word, value in limits]
    return ", ".join([_name(field.annotation), *told])


def _name(kind: Any) -> str:
    """A type in an operator's words."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return " or ".join(_name(each) for each in arguments if each is not NoneType)
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in arguments)
    if origin is tuple:
        return "JSON list"
    if origin is dict:
        return "JSON object"
    if kind is SecretStr:
        return "secret text"
    return WORDS.get(kind, getattr(kind, "__name__", str(kind)))


def _default(name: str, field: FieldInfo) -> str:
    if name in COMPUTED:
        return COMPUTED[name]
    if field.default is None:
        return "not set"
    return "none" if field.default in ((), {}) else f"`{field.default}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
