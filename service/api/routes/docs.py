"""Describes the API for people, from the OpenAPI document: in a viewer that sends requests (Swagger UI, built into the
dashboard's files), and as a plain page, which stands alone where the dashboard was not built.
"""

import json
from collections.abc import Iterator
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from anabranch.service.api.static import STATIC

router = APIRouter(include_in_schema=False)

VIEWER = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Anabranch: the API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" type="image/svg+xml" href="/mark.svg"><link rel="stylesheet" href="/viewer/swagger-ui.css">
<p><a href="/docs/plain">A plain page</a> · <a href="/openapi.json">openapi.json</a> · <a href="/">dashboard</a>
<div id="viewer"></div><noscript>This viewer needs JavaScript; the plain page does not.</noscript>
<script src="/viewer/swagger-ui-bundle.js"></script><script src="/viewer.js"></script></html>
"""

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
summary { cursor: pointer; } code, pre { font: 14px/1.4 ui-monospace, monospace; }
pre { background: #8881; padding: .75rem; overflow-x: auto; } td { padding: .1rem .75rem .1rem 0; vertical-align: top; }
.method { display: inline-block; min-width: 4rem; font-weight: 600; }
@media (prefers-color-scheme: dark) { body { background: #111; color: #ddd; } a { color: #8bf; } }
"""


@router.get("/docs")
def docs(request: Request) -> HTMLResponse:
    if (STATIC / "viewer" / "swagger-ui-bundle.js").exists():
        return HTMLResponse(VIEWER)
    return plain_docs(request)


@router.get("/docs/plain")
def plain_docs(request: Request) -> HTMLResponse:
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
        for kind, content in body["content"].items():
            yield f"<p>Body, {kind}:</p><pre>{_shown(content['schema'], described)}</pre>"
    yield "<table>"
    for status, answer in operation["responses"].items():
        yield f"<tr><td><code>{status}</code><td>{escape(answer['description'])}"
    yield "</table></details>"


def _shown(schema: dict[str, Any], described: dict[str, Any]) -> str:
    """An example where there is one, the schema itself otherwise."""
    name = schema.get("$ref", "").rpartition("/")[2]
    full = described["components"]["schemas"].get(name, schema)
    return escape(json.dumps(full.get("examples", [full])[0], indent=2))
