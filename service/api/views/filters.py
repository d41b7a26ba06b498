"""Reads by what a listing of jobs is filtered."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime, BeforeValidator

from anabranch.dag.status import JobStatus
from anabranch.service.api.problems import Fault, bad_input
from anabranch.service.api.views.fields import Seed
from anabranch.service.store.listings.facets import Fact, Part
from anabranch.service.store.listings.listing import Wanted

LONGEST = 1000
Text = Annotated[str, Query(max_length=LONGEST)]
Facts = Annotated[list[Text], Query(max_length=8, description="KEY=VALUE; several must all hold.")]


def _written(told: object) -> object:
    """Refuses a number: pydantic would take it for seconds since 1970."""
    if isinstance(told, str) and told.strip().lstrip("+-").replace(".", "", 1).isdigit():
        raise ValueError("write a moment with its zone, such as 2026-03-26T10:00:00Z")
    return told


def _in_utc(moment: datetime) -> datetime:
    """Refuses a moment that lies in UTC before the first year, or behind the last."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("in UTC, this is in no year from 1 to 9999") from error


Since = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_in_utc)]


async def read_filters(
    status: JobStatus | None = None,
    policy: str | None = None,
    q: Annotated[str | None, Query(description="A part of the question.")] = None,
    said: Annotated[
        Text | None,
        Query(
            description="A part of the question, the answer, the error, or of what a branch gave: the first 20,000 "
            "letters of each, and of a job's first 1,000 branches."
        ),
    ] = None,
    model: Annotated[Text | None, Query(description="The model that the job was asked for.")] = None,
    seed: Annotated[Seed | None, Query()] = None,
    error: Annotated[Text | None, Query(description="The type of the error that it failed with.")] = None,
    error_title: Annotated[Text | None, Query(description="That error's title, all of it.")] = None,
    since: Annotated[Since | None, Query(description="Made then, or later.")] = None,
    metadata: Facts = [],  # noqa: B006 - FastAPI copies it
    param: Facts = [],  # noqa: B006
    budget: Facts = [],  # noqa: B006
) -> Wanted:
    """What is wanted of the listed jobs. Raises Refused for what is no KEY=VALUE."""
    facts = [
        *(_fact("metadata", "metadata", text) for text in metadata),
        *(_fact("params", "param", text) for text in param),
        *(_fact("budget", "budget", text) for text in budget),
    ]
    return Wanted(
        status=status,
        policy=policy,
        q=q,
        said=said,
        model=model,
        seed=seed,
        error=error,
        error_title=error_title,
        since=since,
        facts=tuple(facts),
    )


def _fact(part: Part, told_as: str, text: str) -> Fact:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise bad_input([Fault(path=told_as, message=f"{text[:60]!r} is not KEY=VALUE")])
    return Fact(part, key, value)
