"""A job may be claimed in the transaction that submits it: its row is born with a lease, by the database's clock."""

from anabranch.dag.job import JobSpec
from anabranch.dag.text import say
from anabranch.service.store.jobs.submissions import Taker
from anabranch.service.store.rows import NewJob
from anabranch.service.store.store import Store

SPEC = JobSpec(messages=(say("user", "What is six times seven?"),), policy="sequential", params={}, seed=7)
TAKER = Taker(owner="first", lease_seconds=60.0)


def new_job(key: str | None = None) -> NewJob:
    return NewJob(
        spec=SPEC, policy_version="1", trace_id="a" * 32, idempotency_key=key, body_digest=key and "digest"
    )


async def test_its_claim_is_what_claiming_it_would_have_given(store: Store) -> None:
    made, queued = [(await store.jobs.submit_all([new_job()], taker))[0] for taker in (TAKER, None)]
    (claimed,) = await store.queue.claim("first", 60.0, 10)
    assert (claimed.job, made.claim is not None, queued.claim) == (queued.job.id, True, None)
    assert made.claim is not None
    assert made.claim.journal == tuple(await store.journal.read(made.job.id))
    alike = ("epoch", "attempt", "head_seq", "cancel_requested", "trace_id", "traceparent")
    assert [getattr(made.claim, name) for name in alike] == [getattr(claimed, name) for name in alike]
    known = await store.queue.heartbeat("first", 60.0)
    assert {job: (news.epoch, news.woken) for job, news in known.items()} == {
        made.job.id: (1, False),
        queued.job.id: (1, False),
    }


async def test_a_lease_that_has_ended_gives_the_job_to_the_next(store: Store) -> None:
    (made,) = await store.jobs.submit_all([new_job()], Taker(owner="first", lease_seconds=0.0))
    (claim,) = await store.queue.claim("second", 60.0, 10)
    assert (claim.job, claim.epoch, claim.attempt) == (made.job.id, 2, 2)


async def test_the_same_key_again_gives_no_claim(store: Store) -> None:
    first, again = [(await store.jobs.submit_all([new_job("key")], TAKER))[0] for _ in range(2)]
    assert (first.claim is not None, again.claim, again.created) == (True, None, False)
