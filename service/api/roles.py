"""Says which role each route takes. It is asked at one place, before any route runs; a route that does not stand here
keeps the service from starting.
"""

from collections.abc import Iterable, Mapping

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute

from anabranch.service.api.auth import CurrentCaller, forbidden
from anabranch.service.tenants.callers import Role

ANY_KEY: frozenset[Role] = frozenset()
"""It tells nothing of jobs: what there is to choose from, what the key is for."""

_SUBMIT, _READ, _APPROVE, _ADMIN = ({role} for role in (Role.SUBMIT, Role.READ, Role.APPROVE, Role.ADMIN))

ROLES: Mapping[tuple[str, str], Iterable[Role]] = {
    ("POST", "/v1/jobs"): _SUBMIT,
    ("GET", "/v1/jobs/errors"): _READ,
    ("GET", "/v1/jobs"): _READ,
    ("GET", "/v1/jobs/{job}"): _READ,
    ("POST", "/v1/jobs/{job}/cancel"): _SUBMIT,
    ("POST", "/v1/jobs/{job}/replay"): _SUBMIT,
    ("GET", "/v1/jobs/{job}/events"): _READ,
    ("GET", "/v1/jobs/{job}/graph"): _READ,
    ("GET", "/v1/jobs/{job}/branches/{branch}"): _READ,
    ("GET", "/v1/jobs/{job}/audit"): _READ,
    ("GET", "/v1/jobs/{job}/export"): _READ,
    ("GET", "/v1/jobs/{job}/feedback"): _READ,
    ("POST", "/v1/jobs/{job}/feedback"): _SUBMIT | _APPROVE,
    ("GET", "/v1/exports"): ANY_KEY,
    ("GET", "/v1/stream"): _READ,
    ("GET", "/v1/approvals"): _READ | _APPROVE,
    ("GET", "/v1/approvals/{approval}"): _READ | _APPROVE,
    ("POST", "/v1/approvals/{approval}"): _APPROVE,
    ("GET", "/v1/policies"): ANY_KEY,
    ("GET", "/v1/models"): ANY_KEY,
    ("GET", "/v1/models/{model:path}"): ANY_KEY,
    ("POST", "/v1/chat/completions"): _SUBMIT,
    ("GET", "/v1/chat/completions/{completion}"): _READ,
    ("POST", "/v1/responses"): _SUBMIT,
    ("GET", "/v1/responses/{response}"): _READ,
    ("DELETE", "/v1/responses/{response}"): _SUBMIT,
    ("POST", "/v1/responses/{response}/cancel"): _SUBMIT,
    ("GET", "/v1/responses/{response}/input_items"): _READ,
    ("POST", "/v1/files"): _SUBMIT,
    ("GET", "/v1/files"): _READ,
    ("GET", "/v1/files/{file}"): _READ,
    ("GET", "/v1/files/{file}/content"): _READ,
    ("DELETE", "/v1/files/{file}"): _SUBMIT,
    ("POST", "/v1/batches"): _SUBMIT,
    ("GET", "/v1/batches"): _READ,
    ("GET", "/v1/batches/{batch}"): _READ,
    ("GET", "/v1/batches/{batch}/results"): _READ,
    ("POST", "/v1/batches/{batch}/cancel"): _SUBMIT,
    ("GET", "/v1/evaluations"): _READ,
    ("GET", "/v1/evaluations/{run}"): _READ,
    ("PUT", "/v1/evaluations/{run}"): _SUBMIT,
    ("POST", "/v1/evaluations/{run}/trials"): _SUBMIT,
    ("GET", "/v1/key"): ANY_KEY,
    ("POST", "/v1/webhooks"): _ADMIN,
    ("GET", "/v1/webhooks"): _ADMIN,
    ("GET", "/v1/webhooks/{endpoint}"): _ADMIN,
    ("DELETE", "/v1/webhooks/{endpoint}"): _ADMIN,
    ("POST", "/v1/webhooks/{endpoint}/rotate"): _ADMIN,
    ("POST", "/v1/webhooks/{endpoint}/test"): _ADMIN,
    ("POST", "/v1/webhooks/{endpoint}/enable"): _ADMIN,
    ("GET", "/v1/webhooks/{endpoint}/deliveries"): _READ,
    ("GET", "/v1/jobs/{job}/webhooks"): _READ,
    ("GET", "/metrics"): _READ,
    ("GET", "/healthz"): ANY_KEY,
    ("GET", "/readyz"): ANY_KEY,
    ("GET", "/docs"): ANY_KEY,
    ("GET", "/docs/plain"): ANY_KEY,
    ("GET", "/docs.css"): ANY_KEY,
}
"""By method and path: any one of the roles will do."""


async def require_role(request: Request, caller: CurrentCaller) -> None:
    """For every route: 403 for a key that is for something else."""
    route: APIRoute = request.scope["route"]
    wanted = ROLES[request.method, route.path]
    if wanted and not any(caller.may(role) for role in wanted):
        names = " or ".join(sorted(wanted))
        has = ", ".join(sorted(caller.roles)) or "nothing"
        raise forbidden(
            f"{request.method} {route.path} takes a key with the role {names}; this one is for: {has}."
        )


def check_roles(app: FastAPI) -> None:
    """Raises KeyError for a route that nobody has given a role."""
    for route in app.routes:
        if isinstance(route, APIRoute):
            for method in route.methods:
                ROLES[method, route.path]
