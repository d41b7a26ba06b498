"""An evaluation is kept under its name, each trial's last verdict with what its job cost."""

import asyncio
from dataclasses import replace

import pytest
from tests.service.store.scenes import ended

from anabranch.service.store.errors import EvaluationConflict, NotFound
from anabranch.service.store.store import Store

DESIGN = {"title": "t", "tasks": [{"id": "q1", "answer": "42"}, {"id": "q2", "answer": "7"}]}


async def test_a_name_has_one_design(store: Store, other_store: Store) -> None:
    assert await store.evaluations.create("acme", "run", "digest", DESIGN)
    assert not await other_store.evaluations.create("acme", "run", "digest", DESIGN)
    with pytest.raises(EvaluationConflict):
        await store.evaluations.create("acme", "run", "another", DESIGN)
    assert await store.evaluations.create("zeta", "run", "another", DESIGN), "tenants share no names"


async def test_who_creates_the_same_at_once_creates_it_once(store: Store, other_store: Store) -> None:
    both = [each.evaluations.create("acme", "run", "digest", DESIGN) for each in (store, other_store) * 3]
    assert sum(await asyncio.gather(*both)) == 1


async def test_another_tenants_evaluation_is_not_there(store: Store) -> None:
    await store.evaluations.create("acme", "run", "digest", DESIGN)
    assert (await store.evaluations.get("run", "acme")).design == DESIGN
    assert (await store.evaluations.get("run")).tenant == "acme"
    with pytest.raises(NotFound):
        await store.evaluations.get("run", "zeta")
    assert [row.run for row in await store.evaluations.list_newest("acme")] == ["run"]
    assert await store.evaluations.list_newest("zeta") == []


async def test_of_one_name_the_newest_is_got(store: Store) -> None:
    for tenant in ("acme", "zeta"):
        await store.evaluations.create(tenant, "run", "digest", DESIGN)
        await asyncio.sleep(0.002)
    assert (await store.evaluations.get("run")).tenant == "zeta"


async def test_a_later_verdict_takes_the_place_of_an_earlier_one_and_touches_no_other(store: Store) -> None:
    names = [("acme", "one"), ("acme", "two"), ("zeta", "one")]
    for tenant, run in names:
        await store.evaluations.create(tenant, run, "digest", DESIGN)
    one, two, theirs = [await store.evaluations.get(run, tenant) for tenant, run in names]
    job = await ended(store)
    first = await store.evaluations.judge(one, "q1", "arm", job, 0.0, "not yet")
    last = await store.evaluations.judge(one, "q1", "arm", job, 1.0, "")
    assert (first.score, last.score, last.job) == (0.0, 1.0, job.id)
    assert await store.evaluations.list_trials(one) == [last]
    assert await store.evaluations.list_trials(two) == await store.evaluations.list_trials(theirs) == []
    rows = [await store.evaluations.get(run, tenant) for tenant, run in names]
    assert [row.judged for row in rows] == [1, 0, 0]
    assert [row.updated_at > row.created_at for row in rows] == [True, False, False]


async def test_a_trial_costs_what_its_job_was_measured_to_cost_or_nothing(store: Store) -> None:
    await store.evaluations.create("acme", "run", "digest", DESIGN)
    row = await store.evaluations.get("run", "acme")
    job = await ended(store)
    measured = {"critical_path_tokens": 3, "total_tokens": 9, "waste_tokens": 2, "wall_seconds": 0.5}
    trials = [
        await store.evaluations.judge(row, task, "arm", replace(job, metrics=metrics), 1.0, "")
        for task, metrics in (("q1", measured), ("q2", None))
    ]
    told = [(t.critical_path_tokens, t.total_tokens, t.waste_tokens, t.wall_seconds) for t in trials]
    assert told == [(3, 9, 2, 0.5), (0, 0, 0, 0.0)]
