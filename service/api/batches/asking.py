"""Reads what one line asks: the same as one request to its endpoint would, refused by the same rules."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from anabranch.dag.job import BATCH_PRIORITY, JobSpec
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.new_jobs import make_job
from anabranch.service.api.problems import Fault, bad_input, faults_of
from anabranch.service.api.responses.request import ResponseRequest
from anabranch.service.api.responses.routes import make_response_spec, with_model
from anabranch.service.api.responses.view import job_of
from anabranch.service.api.routes.chat import make_chat_specs
from anabranch.service.api.routes.jobs import make_spec
from anabranch.service.api.views.chat.request import ChatRequest
from anabranch.service.api.views.requests import JobRequest
from anabranch.service.store.rows import NewJob, NewResponse
from anabranch.service.tenants.callers import Caller

JOBS, CHAT, RESPONSES = "/v1/jobs", "/v1/chat/completions", "/v1/responses"
ENDPOINTS = (CHAT, RESPONSES, JOBS)
PARAMS_AT = {JOBS: "policy.params"}
Json = dict[str, Any]
Body = TypeVar("Body", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a line asks: a job, or one for each choice."""

    specs: Sequence[JobSpec]
    response: NewResponse | None = None

    def jobs(self, deps: Dependencies, caller: Caller, told: Json) -> list[NewJob]:
        """The jobs, behind those of nobody's batch; `told` goes into their metadata."""
        return [
            make_job(
                deps,
                caller,
                replace(spec, priority=BATCH_PRIORITY + spec.priority, metadata={**spec.metadata, **told}),
                response=self.response,
            )
            for spec in self.specs
        ]


async def read_asked(deps: Dependencies, caller: Caller, endpoint: str, body: Json) -> Asked:
    """Raises Refused for what the endpoint would refuse, and for what makes no sense in a batch."""
    if body.get("stream"):
        raise bad_input([Fault(path="stream", message="the lines of a batch are not streamed; leave it out")])
    asked = await _asked(deps, caller, endpoint, body)
    if deps.served is not None:
        await deps.served.check_spec(asked.specs[0], PARAMS_AT.get(endpoint, "anabranch.params"))
    return asked


async def _asked(deps: Dependencies, caller: Caller, endpoint: str, body: Json) -> Asked:
    match endpoint:
        case _ if endpoint == CHAT:
            return Asked(await make_chat_specs(_read(ChatRequest, body), deps))
        case _ if endpoint == RESPONSES:
            sent = _read(ResponseRequest, body)
            spec = await make_response_spec(sent, deps, caller)
            response = NewResponse(
                request=with_model(sent, deps), previous=job_of(sent.previous_response_id or "")
            )
            return Asked([spec], response if sent.stored else None)
        case _:
            return Asked([make_spec(_read_job(body), deps.settings)])


def _read_job(body: Json) -> JobRequest:
    sent = _read(JobRequest, body)
    if sent.webhook is not None:
        message = "a batch's file can be read, its secrets too; name the tenant's endpoint: POST /v1/webhooks"
        raise bad_input([Fault(path="webhook", message=message)])
    return sent


def response_request(deps: Dependencies, body: Json) -> Json:
    """What a line of responses was sent, as a response tells it."""
    return with_model(_read(ResponseRequest, body), deps)


def _read(kind: type[Body], body: Json) -> Body:
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        raise bad_input(faults_of(error)) from error
