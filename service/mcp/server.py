"""Makes the MCP server: the tools `reason` and `job` over a running service, which is asked as any client asks it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import anyio
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, ConfigDict, Field

from anabranch.client import AsyncClient, BadJson, ClientError, Job
from anabranch.service.client.calls import JobFields
from anabranch.service.mcp.telling import describe

CANCEL_SECONDS = 5.0
"""How long a call that was cancelled waits for the service to hear of it."""
INSTRUCTIONS = (
    "Anabranch answers hard questions by lines of reasoning that fork, run in parallel and join. `reason` asks one and "
    "waits for the answer, telling what happens on the way; `job` looks at one that was asked before."
)
Connect = Callable[[], AsyncClient]
"""Opens a client of the service that runs now. Raises NoService."""


class NoService(Exception):
    """There is nobody to ask. The message says what to do."""


class Budget(BaseModel):
    """What an answer may cost. What is left out is not limited."""

    model_config = ConfigDict(extra="forbid")

    tokens: int | None = Field(default=None, ge=1, description="Decoded tokens over all branches.")
    seconds: float | None = Field(default=None, gt=0, description="From claim to answer.")
    branches: int | None = Field(default=None, ge=1)
    depth: int | None = Field(default=None, ge=0)
    cost: float | None = Field(default=None, ge=0, description="In the operator's currency.")


class Reasoned(BaseModel):
    """A job as it stands; `answer` once it has succeeded."""

    job: str
    status: str
    answer: str | None
    policy: str
    truncated: bool = Field(description="A limit of tokens cut the answer.")
    branches: int
    tokens: int = Field(description="Decoded, over all branches.")
    critical_path_tokens: int
    cost: float


def make_server(connect: Connect, version: str) -> MCPServer:
    """The server; each call opens a client of its own."""
    server = MCPServer("anabranch", instructions=INSTRUCTIONS, version=version)

    @server.tool()
    async def reason(
        question: Annotated[str, Field(min_length=1)],
        context: Context,
        policy: Annotated[
            str | None, Field(description="How it is thought about, such as self-consistency, plan or auto.")
        ] = None,
        budget: Budget | None = None,
        params: Annotated[
            dict[str, Any] | None, Field(description='The policy\'s parameters, such as {"n": 8}.')
        ] = None,
        model: str | None = None,
    ) -> Reasoned:
        """Think about a question in parallel branches, and answer it. Progress tells what the branches do; a call that
        is cancelled cancels the job."""
        fields = _fields(policy, params, budget, model)
        with _told():
            async with connect() as client:
                job = await client.submit(question, **fields)
                return _reasoned(await _await_answer(client, job, context))

    @server.tool()
    async def job(id: Annotated[str, Field(description="As `reason` told it.")]) -> Reasoned:  # noqa: A002
        """Look at a job: how far it is, and its answer once there is one."""
        with _told():
            async with connect() as client:
                return _reasoned(await client.get(id))

    return server


async def _await_answer(client: AsyncClient, job: Job, context: Context) -> Job:
    """The job when it has ended; what happens is told as it comes. A call that ends before cancels the job."""
    ended = False
    try:
        await context.report_progress(0, message=f"job {job.id}: {job.policy.name}")
        async for event in client.follow(job.id):
            if words := describe(event):
                await context.report_progress(event.seq, message=words)
        found = await client.get(job.id)
        ended = True
        return found
    finally:
        if not ended:
            with anyio.move_on_after(CANCEL_SECONDS, shield=True):
                await client.cancel(job.id)


@contextmanager
def _told() -> Iterator[None]:
    """What the service refuses, and that it is away, is told to the model that asked."""
    try:
        yield
    except (ClientError, BadJson, NoService) as error:
        raise ToolError(str(error)) from error


def _fields(
    policy: str | None, params: dict[str, Any] | None, budget: Budget | None, model: str | None
) -> JobFields:
    fields = JobFields()
    if policy is not None:
        fields["policy"] = {"name": policy, "params": params or {}}
    elif params:
        raise ToolError("params are those of a policy: name it, too")
    if budget is not None:
        fields["budget"] = budget.model_dump(exclude_none=True)
    if model is not None:
        fields["model"] = model
    return fields


def _reasoned(job: Job) -> Reasoned:
    """Raises ToolError where it failed."""
    if job.error is not None:
        raise ToolError(f"job {job.id} failed: {job.error.title}. {job.error.detail}")
    return Reasoned(
        job=job.id,
        status=str(job.status),
        answer=None if job.answer is None else job.answer.text,
        policy=job.policy.name,
        truncated=job.answer is not None and job.answer.truncated,
        branches=job.metrics.branches,
        tokens=job.metrics.total_tokens,
        critical_path_tokens=job.metrics.critical_path_tokens,
        cost=job.usage.cost,
    )
