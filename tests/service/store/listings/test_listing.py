"""Pages of jobs under any filters: all that match, each once, newest first, at a bounded cost."""

import itertools
from dataclasses import replace
from typing import Any

import pytest
from alembic import command
from sqlalchemy import text
from tests.service.store.scenes import (
    answered,
    claimed,
    ended,
    finished,
    forked,
    new_job,
    started,
    submitted,
)

from anabranch.dag import events as e
from anabranch.dag.ids import TRUNK, child_of
from anabranch.dag.job import Budget
from anabranch.service.store.errors import BadCursor
from anabranch.service.store.listings import listing
from anabranch.service.store.listings.facets import Fact
from anabranch.service.store.listings.search import SEARCHED
from anabranch.service.store.listings.sorting import Sort
from anabranch.service.store.rows import UNREADABLE, JobRow, NewJob
from anabranch.service.store.sql import schema
from anabranch.service.store.store import Store

QUESTIONS = (
    "How many roads must a man walk down?",
    "how MANY times",
    'say "no" to 100% of _these_',
    "東京タワーの高さは?",
    "Où est l'École?",
    "ab",
    "",
)


async def without_index(store: Store) -> None:
    """As it is where neither FTS5 nor pg_trgm can be had."""
    triggers = ("insert", "update", "delete")
    statements = {
        True: [*(f"DROP TRIGGER searched_{name}" for name in triggers), "DROP TABLE searched_text"],
        False: ["DROP INDEX jobs_searched"],
    }
    chosen = [text(statement) for statement in statements[store.database.sqlite]]
    await store.database.write(lambda connection: [connection.execute(statement) for statement in chosen])


async def walked(store: Store, limit: int = 2, **wanted: Any) -> list[str]:
    """All pages of a listing, one after the other."""
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await store.jobs.list_page(limit=limit, cursor=cursor, **wanted)
        assert len(page.items) <= limit
        seen += [job.id for job in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return seen


@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize("look", [1, 3, 1000])
async def test_the_pages_hold_all_that_match_whatever_one_page_may_look_at(
    store: Store, monkeypatch: pytest.MonkeyPatch, look: int, indexed: bool
) -> None:
    made: list[JobRow] = []
    kinds = itertools.cycle([("acme", "mcts"), ("acme", "plan"), ("zeta", "mcts")])
    for number, (question, (owner, recipe)) in enumerate(zip(QUESTIONS * 2, kinds, strict=False)):
        make = ended if number % 3 == 0 else submitted
        made.insert(0, await make(store, question=question, tenant=owner, policy=recipe))
    if not indexed:
        await without_index(store)
    monkeypatch.setattr(listing, "LOOK", look)
    sought = (
        None,
        "many",
        "MANY",
        "a",
        "ab",
        "o",
        "東京タ",
        "%",
        '"no"',
        " m",
        "École",
        "roads must a man",
        "nowhere",
    )
    for tenant, status, policy, q in itertools.product(
        (None, "acme"), (None, "queued", "succeeded"), (None, "mcts"), sought
    ):
        expected = [
            job.id
            for job in made
            if tenant in {None, job.tenant}
            and status in {None, job.status}
            and policy in {None, job.spec.policy}
            and (q is None or q.lower() in job.spec.question.lower())
        ]
        assert await walked(store, tenant=tenant, status=status, policy=policy, q=q) == expected, (q, tenant)


async def test_a_search_finds_the_one_old_job_in_one_page(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await submitted(store, "Where is the needle?")
    for _ in range(5):
        await submitted(store, "hay")
    monkeypatch.setattr(listing, "LOOK", 2)
    page = await store.jobs.list_page(q="needle")
    assert ([job.id for job in page.items], page.next_cursor) == ([old.id], None)
    nothing = await store.jobs.list_page(q="pitchfork")
    assert (nothing.items, nothing.next_cursor) == ((), None)


async def test_a_page_that_would_be_empty_goes_on_to_the_next_match(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two letters have no index: what they are in is found by looking."""
    old = await submitted(store, "ab?")
    for _ in range(8):
        await submitted(store, "hay")
    monkeypatch.setattr(listing, "LOOK", 2)
    page = await store.jobs.list_page(q="ab")
    assert ([job.id for job in page.items], page.next_cursor) == ([old.id], None)
    monkeypatch.setattr(listing, "LOOKS", 3)
    page = await store.jobs.list_page(q="ab")
    assert page.items == () and page.next_cursor is not None, "no page looks at all jobs"
    assert await walked(store, q="ab") == [old.id]


async def test_what_was_purged_is_found_no_more(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "LOOK", 1)
    gone = await ended(store, question="Where is the needle?")
    for _ in range(3):
        await submitted(store, "hay")
    assert await walked(store, q="needle") == [gone.id]
    assert gone.finished_at is not None
    purged = await store.maintenance.purge(before=gone.finished_at.replace(year=9000))
    assert (purged, await walked(store, q="needle")) == (1, [])


async def test_a_question_that_was_mended_by_hand_is_found_as_it_is_now(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "LOOK", 1)
    job = await submitted(store, "Where is the needle?")
    await submitted(store, "hay")
    await submitted(store, "hay")
    change = text("UPDATE jobs SET question = 'Where is the thimble?' WHERE id = :job")
    await store.database.write(lambda connection: connection.execute(change, {"job": job.id}))
    assert (await walked(store, q="needle"), await walked(store, q="thimble")) == ([], [job.id])


@pytest.mark.parametrize(
    "sought", ["\x00\ud800x", "x" * 60_000, "'; DROP TABLE jobs", '"', '"""', "AND", "a*"]
)
async def test_any_text_may_be_sought(store: Store, monkeypatch: pytest.MonkeyPatch, sought: str) -> None:
    monkeypatch.setattr(listing, "LOOK", 1)
    for question in ("hay", sought[:SEARCHED], "hay"):
        await submitted(store, question)
    found = await walked(store, q=sought)
    assert len(found) == (1 if len(sought) <= SEARCHED else 0)


async def test_only_the_beginning_of_a_very_long_question_is_searched(store: Store) -> None:
    await submitted(store, "x" * (SEARCHED - 3) + "end" + "beyond")
    assert len(await walked(store, q="xend")) == 1
    assert await walked(store, q="beyond") == []


async def test_jobs_from_before_the_index_are_found_once_the_database_is_upgraded(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "LOOK", 1)
    old = await submitted(store, "Where is the needle?")
    for _ in range(2):
        await submitted(store, "hay")
    await store.database.migrate(lambda connection: command.downgrade(schema.config(connection), "0002"))
    await schema.upgrade(str(store.database.url.render_as_string(hide_password=False)))
    page = await store.jobs.list_page(q="needle")
    assert ([job.id for job in page.items], page.next_cursor) == ([old.id], None)


@pytest.mark.parametrize(
    "spec", ["{}", '{"messages": 7}', "[]", '{"messages": [], "policy": {"from": "tomorrow"}}']
)
async def test_a_row_that_cannot_be_read_is_marked_and_fails_no_page(store: Store, spec: str) -> None:
    before = await submitted(store, "before")
    bad = await ended(store, question="Who broke it?", policy="mcts")
    after = await submitted(store, "after")
    change = text("UPDATE jobs SET spec = CAST(:spec AS JSON) WHERE id = :job")
    if store.database.sqlite:
        change = text("UPDATE jobs SET spec = :spec WHERE id = :job")
    await store.database.write(lambda connection: connection.execute(change, {"spec": spec, "job": bad.id}))
    page = await store.jobs.list_page()
    assert [job.id for job in page.items] == [after.id, bad.id, before.id]
    shown = page.items[1]
    assert (shown.status, shown.spec.question, shown.spec.policy) == ("succeeded", "Who broke it?", "mcts")
    assert "cannot read" in shown.spec.metadata[UNREADABLE]
    assert UNREADABLE not in page.items[0].spec.metadata


FACTS: tuple[dict[str, Any], ...] = (
    {"metadata": {"team": "search", "run": 7, "good": True, 'a "b".c': "x"}},
    {"metadata": {"team": "ads", "run": 7.5, "list": ["search"], "none": None}, "model": "big"},
    {"params": {"n": 4}, "budget": Budget(tokens=2000, seconds=60.0, cost=0.5), "seed": 7},
    {"params": {"n": 8}, "seed": 2**53 - 1},
)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"facts": (Fact("metadata", "team", "search"),)}, [0]),
        ({"facts": (Fact("metadata", "run", "7"),)}, [0]),
        ({"facts": (Fact("metadata", "run", "7.5"),)}, [1]),
        ({"facts": (Fact("metadata", "good", "true"),)}, [0]),
        ({"facts": (Fact("metadata", 'a "b".c', "x"),)}, [0]),
        ({"facts": (Fact("metadata", "list", '["search"]'),)}, []),
        ({"facts": (Fact("metadata", "none", "null"),)}, []),
        ({"facts": (Fact("metadata", "te\0am", "'; DROP TABLE jobs"),)}, []),
        ({"facts": (Fact("params", "n", "4"), Fact("budget", "tokens", "2000"))}, [2]),
        ({"facts": (Fact("params", "n", "8"), Fact("budget", "tokens", "2000"))}, []),
        ({"facts": (Fact("budget", "cost", "0.5"),)}, [2]),
        ({"facts": (Fact("budget", "cost", "0.50"), Fact("budget", "seconds", "60"))}, [2]),
        ({"facts": (Fact("metadata", "team", "7"),)}, []),
        ({"facts": (Fact("metadata", "run", "1e999999"),)}, []),
        ({"facts": (Fact("metadata", "run", "nan"),)}, []),
        ({"model": "big"}, [1]),
        ({"seed": 7}, [2]),
        ({"seed": 0}, [1, 0]),
        ({"seed": 2**53 - 1}, [3]),
    ],
)
async def test_jobs_are_found_by_what_they_were_asked_with(
    store: Store, wanted: dict[str, Any], found: list[int]
) -> None:
    made = [(await store.jobs.submit(asked_with(**facts))).job.id for facts in FACTS]
    assert await walked(store, **wanted) == [made[index] for index in found]


def asked_with(**facts: Any) -> NewJob:
    new = new_job()
    return replace(new, spec=replace(new.spec, **facts))


async def said_in_all_places(store: Store) -> dict[str, str]:
    """One job for each place in which a text may stand."""
    answer = await claimed(store)
    await store.journal.append(answer.job, answer.epoch, answered("It is FORTY-two, 100%"))
    branch = await claimed(store)
    child = child_of(TRUNK, 1)
    await store.journal.append(branch.job, branch.epoch, [*forked(1), started(child), finished(child)])
    returned = [e.BranchReturned(branch=child, value="forty-two, perhaps")]
    await store.journal.append(branch.job, branch.epoch, returned)
    error = await claimed(store)
    failure: list[e.Event] = [
        e.BranchFailed(cause="engine-error", detail="forty-two tries", attempts=1),
        e.JobFailed(type="no-answer", title="No answer was found", detail="after forty-two tries"),
    ]
    await store.journal.append(error.job, error.epoch, failure)
    question = await submitted(store, question="Why forty-two?")
    return {"answer": answer.job, "branch": branch.job, "error": error.job, "question": question.id}


@pytest.mark.parametrize("look", [1, 1000])
async def test_a_text_is_found_wherever_it_was_said(
    store: Store, monkeypatch: pytest.MonkeyPatch, look: int
) -> None:
    made = await said_in_all_places(store)
    monkeypatch.setattr(listing, "LOOK", look)
    everywhere = [made[place] for place in ("question", "error", "branch", "answer")]
    assert await walked(store, said="Forty-Two") == everywhere
    assert await walked(store, said="perhaps") == [made["branch"]]
    assert await walked(store, said="100%") == [made["answer"]]
    assert await walked(store, said="forty-two", q="why") == [made["question"]]
    assert await walked(store, said="nowhere") == []
    assert await walked(store, error="no-answer") == [made["error"]]
    assert await walked(store, error="no-answer", status="succeeded") == []


@pytest.mark.parametrize("sought", ["%", "_", "\\", "'", '"', "\0", "\ud800", "a" * 1000, "é"])
async def test_any_text_may_be_sought_wherever_it_was_said(store: Store, sought: str) -> None:
    await submitted(store)
    assert await walked(store, said=sought) == []


METRICS: list[dict[str, Any]] = [
    {"total_tokens": tokens, "waste_tokens": waste, "wall_seconds": wall, "branches": 2}
    for tokens, waste, wall in [(10, 5, 0.25), (30, 3, 1.5), (30, 30, 0.125), (0, 0, 2.0)]
]


async def measured(store: Store, metrics: dict[str, Any], tokens: int, **more: Any) -> JobRow:
    """A job that has ended with these metrics; a token costs one."""
    claim = await claimed(store, **more)
    await store.journal.append(claim.job, claim.epoch, [started(TRUNK), finished(TRUNK, cost=float(tokens))])
    await store.journal.append(claim.job, claim.epoch, answered(), metrics)
    return await store.jobs.get(claim.job)


@pytest.mark.parametrize("look", [1, 3, 1000])
@pytest.mark.parametrize(
    ("sort", "order"),
    [
        (Sort.TOKENS, [2, 1, 0, 3]),
        (Sort.TIME, [3, 1, 0, 2]),
        (Sort.WASTE, [2, 0, 1, 3]),
        (Sort.BRANCHES, [3, 2, 1, 0]),
        (Sort.CLAIM, [3, 2, 1, 0]),
        (Sort.COST, [2, 1, 0, 3]),
    ],
)
async def test_pages_sorted_by_a_number_hold_every_ended_job_once_the_greatest_first(
    store: Store, monkeypatch: pytest.MonkeyPatch, sort: Sort, order: list[int], look: int
) -> None:
    monkeypatch.setattr(listing, "LOOK", look)
    made = [
        (await measured(store, metrics, metrics["total_tokens"], tenant="acme" if n % 2 else "zeta")).id
        for n, metrics in enumerate(METRICS)
    ]
    await submitted(store)
    expected = [made[n] for n in order]
    for limit in (1, 3, 50):
        assert await walked(store, limit, sort=sort) == expected
    ours = [job for job in expected if made.index(job) % 2]
    assert await walked(store, sort=sort, tenant="acme") == ours
    assert await walked(store, sort=sort, status="failed") == []


@pytest.mark.parametrize(
    "cursor", ["", "x", "W10=", "WyJhIiwgImIiXQ==", "W05hTiwgImIiXQ==", "W3RydWUsICJiIl0="]
)
async def test_a_cursor_of_another_order_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(BadCursor):
        await store.jobs.list_page(sort=Sort.TOKENS, cursor=cursor)
