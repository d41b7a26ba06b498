"""Serves the dashboard's files. Every path that is no file and no part of the API is a page of the dashboard."""

from http import HTTPStatus
from pathlib import Path, PurePosixPath

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.routing import Match
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parents[1] / "dashboard" / "static"
NOT_BUILT = """<!doctype html><meta charset="utf-8"><title>Anabranch</title>
<h1>Anabranch is serving</h1>
<p>The dashboard was not built: run <code>make ui</code> in the checkout, then reload this page.</p>
<p>The API is described at <a href="/docs">/docs</a>.</p>
"""


class Dashboard(StaticFiles):
    """A single-page app: its files as they are, its pages all by index.html."""

    def __init__(self, folder: Path = STATIC) -> None:
        super().__init__(directory=folder, check_dir=False)
        self._index = folder / "index.html"

    async def check_config(self) -> None:
        """The folder may be missing: then the page says so."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        _refuse_what_is_no_page(scope)
        if not self._index.exists():
            return HTMLResponse(NOT_BUILT)
        page = not PurePosixPath(path).suffix
        response = await super().get_response("index.html" if page else path, scope)
        # Files below assets/ are named by their content's hash.
        lasting = path.startswith("assets/")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if lasting else "no-cache"
        return response


def _refuse_what_is_no_page(scope: Scope) -> None:
    """Raises HTTPException for what was meant for the API; it names the path that was meant, where there is one."""
    asked, method = scope["path"], scope["method"]
    reading = method in {"GET", "HEAD"}
    for_api = _tidy(asked).startswith("/v1")
    if for_api or not reading or "application/json" in Headers(scope=scope).get("accept", ""):
        meant = _find_meant(scope)
        if meant is not None:
            hint = f"There is no {asked}; did you mean {meant}?"
            if meant != _tidy(asked):
                hint += " An OpenAI client's base URL here is http://HOST:PORT/v1."
            raise HTTPException(HTTPStatus.NOT_FOUND, hint)
    if for_api:
        raise HTTPException(
            HTTPStatus.NOT_FOUND, f"There is no {method} {asked}; see /docs for all there is."
        )
    if not reading:
        raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, f"{asked} is a page: it can be read only.")


def _find_meant(scope: Scope) -> str | None:
    """The path of the API that has one /v1 more, or one less, than was asked for, or no slash too many."""
    asked = _tidy(scope["path"])
    for meant in (asked, f"/v1{asked}", asked.removeprefix("/v1")):
        like = {**scope, "path": meant}
        if meant.startswith("/v1/") and any(
            route.matches(like)[0] is not Match.NONE for route in scope["app"].routes
        ):
            return meant
    return None


def _tidy(path: str) -> str:
    """The path without slashes that are doubled or at its end."""
    return "/" + "/".join(part for part in path.split("/") if part)
