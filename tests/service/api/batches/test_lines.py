"""Lines in whatever encoding: what was checked is what is stored, and read again when its turn comes."""

import codecs
import json

import httpx
import pytest
from fastapi import FastAPI
from tests.service.api.conftest import Organizer

from anabranch.service.api.batches.runner import BatchRunner
from anabranch.service.store.store import Store

LINES = {"content-type": "application/jsonl"}
QUESTIONS = ["What is six times seven?", "Und was heißt „Öl“?"]
TEXT = "\n".join(json.dumps({"question": question}, ensure_ascii=False) for question in QUESTIONS)


@pytest.mark.parametrize(
    "begin", [codecs.BOM_UTF8, codecs.BOM_UTF8 + b"\n \n"], ids=["a line", "blank lines"]
)
async def test_a_mark_of_the_encoding_before_the_first_line_is_none_of_it(
    begin: bytes, client: httpx.AsyncClient, app: FastAPI, store: Store, organizer: Organizer
) -> None:
    made = await client.post("/v1/batches", content=begin + TEXT.encode(), headers=LINES)
    assert made.status_code == 200, made.text
    running = BatchRunner(app.state.deps, open_lines=3)
    await running.step()
    jobs = (await store.jobs.list_page()).items
    assert sorted(job.spec.question for job in jobs) == sorted(QUESTIONS)
    for job in jobs:
        await organizer.answer(job.id)
    while await running.step():
        pass
    batch = (await client.get(f"/v1/batches/{made.json()['id']}")).json()
    assert batch["request_counts"] == {"total": 2, "completed": 2, "failed": 0}


@pytest.mark.parametrize(
    ("content", "number"),
    [
        (TEXT.encode() + b"\n" + codecs.BOM_UTF8 + b'{"question": "Why?"}', 3),
        (codecs.BOM_UTF8 * 2 + TEXT.encode(), 1),
        ('{"question": "Why?"}'.encode("utf-16"), 1),
        ('{"question": "Why?"}'.encode("utf-16-le"), 1),
        ('{"question": "Öl?"}'.encode("latin-1"), 1),
        ('{"question": "\ud83d"}'.encode(errors="surrogatepass"), 1),
    ],
    ids=["a mark inside", "two marks", "utf-16", "utf-16 without a mark", "latin-1", "half a letter"],
)
async def test_a_line_in_another_encoding_is_told_before_any_is_written(
    content: bytes, number: int, client: httpx.AsyncClient, store: Store
) -> None:
    response = await client.post("/v1/batches", content=content, headers=LINES)
    assert response.status_code == 422
    assert f"line {number}: it is not JSON" in response.json()["detail"]
    assert list(await store.batches.list_page(10)) == []
