"""Serves lists of jobs: pages of them, and how many failed alike."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from anabranch.service.api.auth import CurrentCaller, forbidden
from anabranch.service.api.body import JsonRoute
from anabranch.service.api.live.dependencies import Injected
from anabranch.service.api.live.queueing import waits_of_jobs
from anabranch.service.api.problems import problems
from anabranch.service.api.views.error_groups import ErrorGroupList, ErrorGroupView
from anabranch.service.api.views.filters import read_filters
from anabranch.service.api.views.job import JobPage, job_view
from anabranch.service.store.listings.listing import Wanted
from anabranch.service.store.listings.sorting import Sort
from anabranch.service.tenants.callers import Caller

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=JsonRoute)


@router.get("", responses=problems(400, 403))
async def list_jobs(
    deps: Injected,
    caller: CurrentCaller,
    wanted: Annotated[Wanted, Depends(read_filters)],
    tenant: Annotated[str | None, Query(description="Whose; operators see all.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
    sort: Annotated[
        Sort | None, Query(description="Jobs that have ended, those with most of it first.")
    ] = None,
) -> JobPage:
    """Jobs, newest first, or sorted. Pages stay put while new jobs come in."""
    whose = _whose(caller, tenant)
    page = await deps.store.jobs.list_page(
        limit=limit, cursor=cursor or None, **Wanted({**wanted, "tenant": whose, "sort": sort})
    )
    waits = await waits_of_jobs(deps, page.items)
    views = [job_view(row, waits.get(row.id)) for row in page.items]
    return JobPage(items=views, next_cursor=page.next_cursor)


@router.get("/errors", responses=problems(400, 403))
async def list_errors(
    deps: Injected,
    caller: CurrentCaller,
    wanted: Annotated[Wanted, Depends(read_filters)],
    tenant: Annotated[str | None, Query(description="Whose; operators see all.")] = None,
) -> ErrorGroupList:
    """The failed jobs that the filters leave, by their error, the most frequent first."""
    groups = await deps.store.jobs.group_errors(**Wanted({**wanted, "tenant": _whose(caller, tenant)}))
    views = [ErrorGroupView(**asdict(group)) for group in groups.items]
    return ErrorGroupList(items=views, complete=groups.complete)


def _whose(caller: Caller, tenant: str | None) -> str | None:
    """The tenant whose jobs are listed; None is everybody. Raises Refused for another tenant's."""
    if tenant is not None and caller.scope not in (None, tenant):
        raise forbidden(f"These are the jobs of {tenant!r}; this key is for {caller.tenant!r}.")
    return caller.scope or tenant
