"""Builds the REST surface as one ASGI app. It runs no jobs: it writes requests to the store and reads the results."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache, partial
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from anabranch.service.api import problems
from anabranch.service.api.auth import Keys, require_own_job
from anabranch.service.api.batches import files
from anabranch.service.api.batches import routes as batches
from anabranch.service.api.guards import LOOPBACK, PROBES, Guards
from anabranch.service.api.head import HeadAsGet
from anabranch.service.api.intake import Submissions
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.live.listing import Listing
from anabranch.service.api.live.load import Load
from anabranch.service.api.metrics.http import Measuring, Meters
from anabranch.service.api.responses import routes as responses
from anabranch.service.api.roles import check_roles, require_role
from anabranch.service.api.routes import (
    approvals,
    chat,
    docs,
    evaluations,
    events,
    exports,
    feedback,
    health,
    job_lists,
    jobs,
    journals,
    keys,
    policies,
    stream,
    webhooks,
)
from anabranch.service.api.static import Dashboard
from anabranch.service.policies import load_policies

DESCRIPTION = "Reasoning jobs as durable fork-join DAGs. Errors are problem documents (RFC 9457)."
ROUTES = (
    job_lists,  # before jobs: "errors" is no job
    jobs,
    evaluations,
    events,
    journals,
    exports,
    feedback,
    stream,
    approvals,
    policies,
    chat,
    responses,
    keys,
    batches,
    files,
    webhooks,
    health,
    docs,
)


def create_app(deps: Dependencies) -> FastAPI:
    """The app over these parts. The store stays its caller's to close. Raises BadSettings."""
    load_policies(deps.settings.policy_modules)
    app = FastAPI(
        title="Anabranch",
        version=version("anabranch"),
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    app.state.deps = deps
    app.state.listing_of = cache(partial(Listing, deps))
    app.state.load_of = cache(partial(Load, deps))
    app.state.meters = Meters()
    app.router.routes += _build_routes()
    check_roles(app)
    app.router.default = Dashboard()  # behind all routes: not a mount, which would hide a wrong method
    problems.install(app)
    settings = deps.settings
    local = settings.host.strip("[]") in LOOPBACK
    hosts = (*LOOPBACK, *settings.allowed_hosts) if local else settings.allowed_hosts or None
    any_host = PROBES if local else PROBES | {"/metrics"}  # of a pod, by its address
    app.add_middleware(Submissions)
    app.add_middleware(Keys, keyring=deps.keyring, limits=deps.limits)
    app.add_middleware(
        Guards,
        hosts=hosts,
        any_host=any_host,
        max_bytes=settings.max_request_bytes,
        max_upload_bytes=settings.max_upload_bytes,
    )
    app.add_middleware(HeadAsGet)
    app.add_middleware(Measuring, meters=app.state.meters)
    app.openapi = lambda: _describe(app)  # type: ignore[method-assign]
    return app


@cache
def _build_routes() -> Sequence[BaseRoute]:
    """Those of every app of this process: they know nothing of its parts, and take a tenth of a second to build."""
    router = APIRouter()
    for routes in ROUTES:
        router.include_router(routes.router, dependencies=[Depends(require_role), Depends(require_own_job)])
    return router.routes


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await app.state.deps.feed.close()


def _describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document; refusals under their own media type, which FastAPI cannot be told."""
    if app.openapi_schema is None:
        described = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        for operation in (one for path in described["paths"].values() for one in path.values()):
            for answer in operation["responses"].values():
                content = answer.get("content", {})
                if (
                    content.get("application/json", {})
                    .get("schema", {})
                    .get("$ref", "")
                    .endswith("/ProblemDetails")
                ):
                    content[problems.MEDIA_TYPE] = content.pop("application/json")
        keyring = app.state.deps.keyring
        if keyring is not None:
            described["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            described["security"] = [{"key": []}] if keyring.asks_always else [{"key": []}, {}]
        app.openapi_schema = described
    return app.openapi_schema
