"""Describes the API for people: one page made from the OpenAPI document, without scripts from elsewhere."""

import json
from collections.abc import Iterator
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

router = APIRouter(include_in_schema=False)

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
summary { cursor: pointer; } code, pre { font: 14px/1.4 ui-monospace, monospace; }
pre { background: #8881; padding: .75rem; overflow-x: auto; } td { padding: .1rem .75rem .1rem 0; vertical-align: top; }
.method { display: inline-block; min-width: 4rem; font-weight: 600; }
@media (prefers-color-scheme: dark) { body { background: #111; color: #ddd; } a { color: #8bf; } }
"""


@router.get("/docs")
def docs(request: Request) -> HTMLResponse:
    return HTMLResponse("".join(_page(request.app.openapi())))


@router.get("/docs.css")
def style() -> Response:
    return Response(STYLE, media_type="text/css")


def _page(described: dict[str, Any]) -> Iterator[str]:
    info = described["info"]
    yield '<!doctype html><html lang="en"><meta charset="utf-8"><link rel="stylesheet" href="/docs.css">'
    yield f"<title>{escape(info['title'])}</title><h1>{escape(info['title'])} {escape(info['version'])}</h1>"
    yield f"<p>{escape(info.get('description', ''))}</p><p><a href='/openapi.json'>openapi.json</a></p>"
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            yield from _operation(method, path, operation, described)


def _operation(method: str, path: str, operation: dict[str, Any], described: dict[str, Any]) -> Iterator[str]:
    yield f"<details><summary><span class='method'>{method.upper()}</span> <code>{escape(path)}</code> "
    yield f"{escape(operation.get('summary', ''))}</summary><p>{escape(operation.get('description', ''))}</p>"
    yield "<table>"
    for parameter in operation.get("parameters", []):
        needed = "" if parameter.get("required") else "optional"
        told = parameter.get("description", "")
        yield f"<tr><td><code>{escape(parameter['name'])}</code><td>{parameter['in']} {needed}<td>{escape(told)}"
    yield "</table>"
    body = operation.get("requestBody")
    if body is not None:
        yield f"<p>Body:</p><pre>{_shown(body['content']['application/json']['schema'], described)}</pre>"
    yield "<table>"
    for status, answer in operation["responses"].items():
        yield f"<tr><td><code>{status}</code><td>{escape(answer['description'])}"
    yield "</table></details>"


def _shown(schema: dict[str, Any], described: dict[str, Any]) -> str:
    """An example where there is one, the schema itself otherwise."""
    name = schema.get("$ref", "").rpartition("/")[2]
    full = described["components"]["schemas"].get(name, schema)
    return escape(json.dumps(full.get("examples", [full])[0], indent=2))
