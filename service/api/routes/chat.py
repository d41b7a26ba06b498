"""Serves OpenAI's surface: every policy is a model. Any OpenAI client works here by changing its base URL.

A conversation is a job like any other; the header X-Anabranch-Job names it. With `n`, each choice is a job.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError
from starlette.responses import Response, StreamingResponse

from anabranch.dag.job import JobSpec
from anabranch.dag.policy import catalogue
from anabranch.service.api.answering.chat import ChatWait
from anabranch.service.api.auth import CurrentCaller, open_stream
from anabranch.service.api.body import JsonRoute
from anabranch.service.api.live import sse
from anabranch.service.api.live.dependencies import Dependencies, Injected
from anabranch.service.api.live.served import MOST_TOLD
from anabranch.service.api.problems import Refusal, Refused, bad_input, faults_of, problems
from anabranch.service.api.routes.jobs import IdempotencyKey, Traceparent, make_spec, submit_specs
from anabranch.service.api.views.chat.answer import jobs_of, model_json
from anabranch.service.api.views.chat.request import ChatRequest, StreamOptions
from anabranch.service.api.views.fields import MAX_SEED
from anabranch.service.api.views.model_name import read_model, write_model
from anabranch.service.store.rows import JobRow

MOST_LISTED = 16
"""Models of a pool that are listed with each policy; of more, each may be named all the same."""
JOB_HEADER = "X-Anabranch-Job"
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The completion; or, with `stream`, its chunks.",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            **sse.TOLD,
        },
    },
    **problems(400, 403, 404, 408, 409, 413, 415, 429, 500),
}
"""A job that failed is told as a refusal is: by whose fault it was, see `openai_errors`."""

router = APIRouter(prefix="/v1", tags=["openai"], route_class=JsonRoute)


@router.get("/models")
async def models(deps: Injected) -> dict[str, Any]:
    """The policies, as OpenAI lists models: each alone, and with each model of the pool, where these are few."""
    served = await deps.served.names() if deps.served is not None else None
    pools = served if served is not None and len(served) <= MOST_LISTED else ()
    data = [model_json(write_model(name, model)) for model in (None, *pools) for name in sorted(catalogue())]
    return {"object": "list", "data": data}


@router.get("/models/{model:path}", responses=problems(404))
async def model(model: str, deps: Injected) -> dict[str, Any]:
    """One policy, as OpenAI tells of a model."""
    return model_json(write_model(*await find_model(model, deps)))


@router.post("/chat/completions", response_class=Response, responses=ANSWERS)
async def chat(
    sent: ChatRequest,
    request: Request,
    deps: Injected,
    caller: CurrentCaller,
    idempotency_key: IdempotencyKey = None,
    traceparent: Traceparent = None,
) -> Response:
    """Ask a policy as if it were a model. With `stream`, what the branches do comes as reasoning, then the answer."""
    specs = await make_chat_specs(sent, deps)
    if sent.stream:
        await open_stream(request)
    submitted = await submit_specs(
        deps, caller, specs, idempotency_key, sent, traceparent, params_at="anabranch.params"
    )
    wait = ChatWait(
        deps,
        [each.job for each in submitted],
        sent.model,
        sent.stream_options or StreamOptions(),
        findable=idempotency_key is not None or bool(sent.store),
        older=bool(sent.functions),
    )
    return await _answer(wait, [each.job for each in submitted], request, stream=bool(sent.stream))


@router.get("/chat/completions/{completion}", response_class=Response, responses=ANSWERS)
async def take_up(
    completion: str,
    request: Request,
    deps: Injected,
    caller: CurrentCaller,
    stream: Annotated[bool, Query(description="Its chunks: those so far, then those to come.")] = False,
    include_usage: Annotated[bool, Query(description="With `stream`: a last chunk tells the usage.")] = False,
) -> Response:
    """A completion by its id, when it has ended; or, with `stream`, from its beginning on. Whoever lost the stream of a
    completion that was asked for with `store: true` or with an Idempotency-Key takes it up here; a job's id is one of a
    completion, too."""
    if stream:
        await open_stream(request)
    jobs = [await deps.store.jobs.get(job, caller.scope) for job in jobs_of(completion)]
    spec = jobs[0].spec
    wait = ChatWait(
        deps,
        jobs,
        write_model(spec.policy, spec.model),
        StreamOptions(include_usage=include_usage),
        findable=True,
    )
    return await _answer(wait, jobs, request, stream=stream)


async def make_chat_specs(sent: ChatRequest, deps: Dependencies) -> list[JobSpec]:
    """The job of each choice. Raises Refused."""
    await find_model(sent.model, deps)
    try:
        asked = sent.as_job()
    except ValidationError as error:
        raise bad_input(faults_of(error)) from error
    spec = make_spec(
        asked,
        deps.settings,
        params_at="anabranch.params",
        format_at="response_format",
        logprobs_at="logprobs",
        tools_at="functions" if sent.functions else "tools",
    )
    return [replace(spec, seed=(spec.seed + number) % (MAX_SEED + 1)) for number in range(sent.n or 1)]


async def _answer(wait: ChatWait, jobs: Sequence[JobRow], request: Request, *, stream: bool) -> Response:
    headers = {JOB_HEADER: ",".join(job.id for job in jobs)}
    if stream:
        return StreamingResponse(
            wait.stream(request), media_type=sse.MEDIA_TYPE, headers=sse.HEADERS | headers
        )
    return await wait.complete(request, headers)


async def find_model(name: str, deps: Dependencies) -> tuple[str, str | None]:
    """The policy, and the pool's model where one is named. Raises Refused for a name that is none."""
    policy, model = read_model(name)
    known = catalogue()
    served = deps.served
    if policy in known and (model is None or served is None or await served.serves(model)):
        return policy, model
    models = await served.names() if served is not None else None
    there = ", ".join(map(write_model, sorted(known)))
    behind = "" if models is None else f"; behind @ may stand: {', '.join(models[:MOST_TOLD])}"
    detail = f"There is no model {name[:100]!r}; there are: {there}{behind}."
    raise Refused(Refusal(status=404, name="model-not-found", title="No such model", detail=detail))
