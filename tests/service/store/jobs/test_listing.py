"""Pages of jobs under any filters: all that match, each once, newest first, at a bounded cost."""

import itertools
from typing import Any

import pytest
from alembic import command
from sqlalchemy import text
from tests.service.store.scenes import ended, submitted

from anabranch.service.store.jobs import listing
from anabranch.service.store.jobs.search import SEARCHED
from anabranch.service.store.rows import UNREADABLE, JobRow
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
