"""The dashboard's files. Every path that is no file and no part of the API is a page of the dashboard."""

from http import HTTPStatus
from pathlib import Path, PurePosixPath

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
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
        if scope["path"].startswith("/v1"):
            raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no {scope['path']}; see /docs.")
        if not self._index.exists():
            return HTMLResponse(NOT_BUILT)
        page = not PurePosixPath(path).suffix
        response = await super().get_response("index.html" if page else path, scope)
        # Files below assets/ are named by their content's hash.
        lasting = path.startswith("assets/")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if lasting else "no-cache"
        return response
