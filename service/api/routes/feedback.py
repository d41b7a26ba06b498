"""Serves ratings: what people think of a job's answer."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from anabranch.dag.ids import JobId
from anabranch.service.api.auth import CurrentCaller
from anabranch.service.api.body import JsonRoute
from anabranch.service.api.live.dependencies import Injected
from anabranch.service.api.problems import problems
from anabranch.service.api.views.fields import Sent, WrittenText
from anabranch.service.api.views.job import Moment
from anabranch.service.store.evaluations.feedback import FeedbackRow

router = APIRouter(prefix="/v1/jobs", tags=["feedback"], route_class=JsonRoute)


class FeedbackRequest(Sent):
    """A rating of an answer: a reward of its job in exports for training."""

    score: float = Field(ge=0, le=1, description="From 0.0 (bad) to 1.0 (good): a thumb is one of them.")
    comment: str = Field(default="", max_length=10_000)
    author: Annotated[WrittenText, Field(max_length=200)] | None = Field(
        default=None,
        description="Who rates. Left out: the key's owner. An author's later rating takes the place.",
    )


class FeedbackView(BaseModel):
    author: str
    score: float
    comment: str
    at: Moment


class FeedbackList(BaseModel):
    items: list[FeedbackView]


@router.post("/{job}/feedback", responses=problems(400, 404, 409, 413, 415))
async def rate(job: JobId, sent: FeedbackRequest, deps: Injected, caller: CurrentCaller) -> FeedbackView:
    """Rate the answer of a job that has ended: an event of its journal."""
    author = sent.author or ("client" if caller.sees_all else caller.tenant)
    return _view(await deps.store.feedback.rate(job, author, sent.score, sent.comment))


@router.get("/{job}/feedback", responses=problems(404))
async def list_feedback(job: JobId, deps: Injected) -> FeedbackList:
    """All ratings of a job's answer, by author."""
    await deps.store.jobs.get(job)
    return FeedbackList(items=[_view(row) for row in await deps.store.feedback.list(job)])


def _view(row: FeedbackRow) -> FeedbackView:
    return FeedbackView(author=row.author, score=row.score, comment=row.comment, at=row.at)
