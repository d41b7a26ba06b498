"""Writes long journals without organizer and engine: a policy that forks wave after wave, and made-up decodes.

They are sound: each event is what the interpreter records, appended by the journal's writer.
"""

from collections import deque
from typing import Any

from anabranch.dag import actions as a
from anabranch.dag import commands as c
from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Finish, Usage
from anabranch.dag.ids import JobId
from anabranch.dag.interpreter import Interpreter
from anabranch.dag.job import JobSpec, Problem
from anabranch.dag.limits import Limits
from anabranch.dag.policy import policy, policy_named
from anabranch.dag.text import Base, say
from anabranch.service.store.rows import NewJob
from anabranch.service.store.store import Store

AT_ONCE = 256
"""Events of one append."""


def waves(problem: Problem, *, count: int = 1, width: int = 8) -> a.Policy:
    """T is one segment for each wave."""
    sample = a.Thought(base=Base.PROBLEM, role="sample")
    for _ in range(count):
        forked: a.Forked = yield a.Fork(children=(sample,) * width)
        yield a.Join(targets=forked.branches)
    return a.Answer(text="42")


def enter() -> None:
    """Enters the policy in this process's catalogue; importing this file does not, or every test would find it."""
    policy(title="Waves", paper="none: a test", use_when="Never.")(waves)


def new_job(count: int, width: int, **more: Any) -> NewJob:
    spec = JobSpec(
        messages=(say("user", "What is six times seven?"),),
        policy="waves",
        params={"count": count, "width": width},
    )
    limits = Limits(width=max(width, Limits().width))
    version = policy_named("waves").version
    return NewJob(spec=spec, policy_version=version, limits=limits, trace_id="a" * 32, **more)


async def write(store: Store, new: NewJob, unanswered: int = 1) -> JobId:
    """Submits the job and writes its journal; its last decodes are not answered, and nobody holds it then."""
    await store.jobs.submit(new)
    (claim,) = (each for each in await store.queue.claim("writer", 600.0, 1000) if each.job == new.id)
    interpreter = Interpreter()
    interpreter.feed(claim.journal[0].event)
    step = interpreter.feed(e.JobClaimed(owner="writer", attempt=1))
    asked: deque[c.Decode] = deque()
    events: list[e.Event] = []
    left = new.spec.params["count"] * new.spec.params["width"] - unanswered
    while True:
        events += step.events
        asked += (command for command in step.commands if isinstance(command, c.Decode))
        if len(events) >= AT_ONCE or not left:
            await store.journal.append(new.id, claim.epoch, events)
            events = []
        if not left:
            break
        left -= 1
        step = interpreter.feed(answer(asked.popleft()))
    await store.queue.release(new.id, claim.epoch, 0.0)
    return new.id


def answer(command: c.Decode) -> e.SegmentFinished:
    """So many words, as an engine would have said them."""
    decoded = Decoded(
        text=f"Branch {command.branch} thinks that six times seven is \\boxed{{42}}.",
        finish=Finish.EOS,
        usage=Usage(prompt_tokens=20, completion_tokens=12),
        replica="replica-1",
        engine="scripted",
    )
    return e.SegmentFinished(branch=command.branch, segment=command.segment, attempt=1, decoded=decoded)
