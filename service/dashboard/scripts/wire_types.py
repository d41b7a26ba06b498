"""Writes the dashboard's types of all that reaches it: journal events from `dag/`, answers from the OpenAPI document.

    python service/dashboard/scripts/wire_types.py

Both files are committed; `tests/browser/test_front_end.py` fails when one is not what this writes.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from anabranch.dag import events
from anabranch.dag.analysis.graph import EdgeKind, NodeKind
from anabranch.dag.status import BranchStatus, JobStatus, NodeStatus
from anabranch.service.api.app import ROUTES

SOURCES = Path(__file__).resolve().parents[1] / "src"
HEAD = "/** {what} Written by scripts/wire_types.py; change the Python types, not this file. */\n"
WIDTH = 110

Schema = Mapping[str, Any]


def files() -> dict[Path, str]:
    """The files, each with the text that it should have."""
    return {
        SOURCES / "model" / "journal" / "events.generated.ts": _events(),
        SOURCES / "data" / "api.generated.ts": _answers(),
    }


def _events() -> str:
    """Payloads by kind, and the vocabulary of status and of the graph."""
    told = TypeAdapter(events.Event).json_schema()
    words = {
        word.__name__: TypeAdapter(word).json_schema()
        for word in (JobStatus, BranchStatus, NodeStatus, NodeKind, EdgeKind)
    }
    kinds = [option["$ref"].rpartition("/")[2] for option in told["anyOf"]]
    payloads = "".join(f"  {kind}: {kind};\n" for kind in kinds)
    return (
        HEAD.format(what="Journal events: a field that is missing has the default of `dag/events.py`.")
        + "".join(map(_declared, *zip(*{**told["$defs"], **words}.items(), strict=True)))
        + f"\n/** The payload of each kind. */\nexport interface Payloads {{\n{payloads}}}\n"
    )


def _answers() -> str:
    """What the API is sent and what it answers."""
    app = FastAPI()
    for routes in ROUTES:
        app.include_router(routes.router)
    schemas = get_openapi(title="", version="", routes=app.routes)["components"]["schemas"]
    return HEAD.format(what="What the API is sent and what it answers.") + "".join(
        map(_declared, *zip(*sorted(schemas.items()), strict=True))
    )


def _declared(name: str, schema: Schema) -> str:
    """One exported type, with what it says about itself."""
    doc = " ".join(schema.get("description", "").split())
    comment = f"/** {doc} */\n" if doc else ""
    if "properties" not in schema:
        return f"\n{comment}export type {name} = {_type(schema)};\n"
    fields = "".join(_fields(schema))
    return f"\n{comment}export interface {name} {{\n{fields}}}\n"


def _fields(schema: Schema) -> Iterator[str]:
    required = schema.get("required", ())
    for name, of in schema["properties"].items():
        if of.get("description"):
            yield f"  /** {' '.join(of['description'].split())} */\n"
        key = name if re.fullmatch(r"[A-Za-z_$][\w$]*", name) else json.dumps(name)
        yield f"  {key}{'' if name in required else '?'}: {_type(of)};\n"


def _type(schema: Schema) -> str:
    """A JSON Schema as TypeScript. What it says beyond a type (bounds, formats) is the server's to check."""
    match schema:
        case {"$ref": ref}:
            return str(ref).rpartition("/")[2]
        case {"const": value}:
            return json.dumps(value)
        case {"enum": values}:
            return " | ".join(map(json.dumps, values))
        case {"anyOf": options} | {"oneOf": options}:
            return " | ".join(dict.fromkeys(_type(option) for option in options))
        case {"type": "array", "prefixItems": items}:
            return f"[{', '.join(map(_type, items))}]"
        case {"type": "array", "items": items}:
            of = _type(items)
            return f"({of})[]" if "|" in of else f"{of}[]"
        case {"type": "object", "additionalProperties": bool() | {}} if "properties" not in schema:
            values = schema["additionalProperties"]
            return f"Record<string, {_type(values) if isinstance(values, Mapping) else 'unknown'}>"
        case {"type": "object"}:
            return "Record<string, unknown>"
        case {"type": "integer" | "number"}:
            return "number"
        case {"type": "string" | "boolean" | "null" as plain}:
            return str(plain)
        case _:
            return "unknown"


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
