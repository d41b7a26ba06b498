"""A rating is an event of the job's journal; of each author the last one holds."""

import pytest
from sqlalchemy import insert
from tests.service.store.scenes import claimed, ended

from anabranch.dag.events import JobRated
from anabranch.dag.ids import JobId
from anabranch.dag.training.samples import Reward
from anabranch.service.store.errors import JobNotEnded, NotFound
from anabranch.service.store.evaluations.tables import feedback
from anabranch.service.store.store import Store


async def scores(store: Store, job: JobId) -> list[tuple[str, float]]:
    events = [record.event for record in await store.journal.read(job)]
    return [(event.author, event.score) for event in events if isinstance(event, JobRated)]


async def test_what_an_author_says_again_is_written_once_and_what_it_changes_anew(store: Store) -> None:
    job = (await ended(store)).id
    for author, score in (("ann", 1.0), ("bob", 0.0), ("ann", 1.0), ("ann", 0.0), ("ann", 1.0)):
        await store.feedback.rate(job, author, score, "")
    assert await scores(store, job) == [("ann", 1.0), ("bob", 0.0), ("ann", 0.0), ("ann", 1.0)]
    assert [(row.author, row.score) for row in await store.feedback.list(job)] == [("ann", 1.0), ("bob", 0.0)]
    assert (await store.maintenance.audit(job)).sound


async def test_another_comment_is_another_rating(store: Store) -> None:
    job = (await ended(store)).id
    for comment in ("fine", "fine", "on second thought"):
        told = await store.feedback.rate(job, "ann", 1.0, comment)
        assert told.comment == comment
    assert len(await scores(store, job)) == 2


async def test_only_a_job_that_has_ended_is_rated(store: Store) -> None:
    with pytest.raises(JobNotEnded):
        await store.feedback.rate((await claimed(store)).job, "ann", 1.0, "")
    with pytest.raises(NotFound):
        await store.feedback.rate(JobId("none"), "ann", 1.0, "")


async def test_ratings_of_an_older_release_hold_until_their_author_rates_anew(store: Store) -> None:
    job, other = (await ended(store)), (await ended(store)).id
    old = [
        {"job_id": job.id, "author": author, "score": 0.0, "comment": "", "at": job.created_at}
        for author in ("ann", "bob")
    ]
    await store.database.write(lambda connection: connection.execute(insert(feedback), old))
    await store.feedback.rate(job.id, "ann", 1.0, "")
    assert [(row.author, row.score) for row in await store.feedback.list(job.id)] == [
        ("ann", 1.0),
        ("bob", 0.0),
    ]
    assert await store.feedback.list(other) == []


async def test_a_job_is_worth_what_its_graders_and_then_people_say(store: Store) -> None:
    design = {"tasks": [{"id": "q1", "answer": "41"}, {"id": "q2", "answer": "42"}]}
    job, other = await ended(store), await ended(store)
    for tenant, run in (("acme", "one"), ("acme", "two"), ("zeta", "one")):
        await store.evaluations.create(tenant, run, "digest", design)
    row = await store.evaluations.get("one", "acme")
    await store.evaluations.judge(row, "q2", "arm", job, 1.0, "")
    await store.evaluations.judge(row, "q1", "arm", other, 0.0, "")
    await store.feedback.rate(job.id, "ann", 0.5, "")
    assert await store.feedback.list_rewards(job.id) == [
        Reward(by="evaluation one", score=1.0, truth="42"),
        Reward(by="ann", score=0.5),
    ]
