"""OpenAI's own client makes batches of a whole service: REST, store, organizer, and an engine that recites."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from tests.databases import BOTH, Databases
from tests.scripted_service import serve_scripted

from anabranch.dag.job import BATCH_PRIORITY
from anabranch.service.settings import Settings
from anabranch.workers.engines.script import Line, rendered
from anabranch.workers.engines.scripted import ScriptedEngine
from anabranch.workers.messages import DecodeRequest

PATIENCE = 120.0
MODEL = "anabranch/sequential"


def recite(request: DecodeRequest) -> Line:
    """Tells what it read."""
    return Line(text=f"I read: {rendered(request.context)}")


@pytest.fixture(scope="module", params=BOTH)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("state")
    databases = Databases(folder)
    settings = Settings(state=folder, database=databases.new(request.param), port=0)
    with serve_scripted(settings, lambda: ScriptedEngine(recite)) as url:
        yield url
    databases.close()


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", timeout=60, max_retries=0) as opened:
        yield opened


def chat(number: int, **more: Any) -> dict[str, Any]:
    body = {"model": MODEL, "messages": [{"role": "user", "content": f"Question {number}"}], **more}
    return {"custom_id": f"q-{number}", "method": "POST", "url": "/v1/chat/completions", "body": body}


def written(lines: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def ended(client: openai.OpenAI, batch: str) -> openai.types.Batch:
    until = time.monotonic() + PATIENCE
    while (found := client.batches.retrieve(batch)).status in {"in_progress", "cancelling", "finalizing"}:
        assert time.monotonic() < until, found
        time.sleep(0.1)
    return found


def lines_of(client: openai.OpenAI, file: str | None) -> list[dict[str, Any]]:
    assert file is not None
    return [json.loads(line) for line in client.files.content(file).text.splitlines()]


def test_a_batch_from_its_file_to_its_results(client: openai.OpenAI, url: str) -> None:
    sent = [chat(number, n=2 if number == 3 else 1) for number in range(1, 31)]
    file = client.files.create(file=("questions.jsonl", written(sent)), purpose="batch")
    assert (file.filename, file.bytes, file.purpose) == ("questions.jsonl", len(written(sent)), "batch")
    assert client.files.content(file.id).content == written(sent)
    batch = client.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"for": "a test"},
    )
    assert (batch.status, batch.input_file_id, batch.metadata) == ("in_progress", file.id, {"for": "a test"})
    assert batch.request_counts is not None and batch.request_counts.total == 30
    done = ended(client, batch.id)
    assert done.status == "completed" and done.completed_at is not None and done.error_file_id is None
    assert done.request_counts is not None and done.request_counts.completed == 30
    results = lines_of(client, done.output_file_id)
    assert [line["custom_id"] for line in results] == [line["custom_id"] for line in sent]
    for number, line in enumerate(results, 1):
        assert line["error"] is None and line["response"]["status_code"] == 200
        completion = openai.types.chat.ChatCompletion.model_validate(line["response"]["body"])
        assert len(completion.choices) == (2 if number == 3 else 1)
        assert completion.choices[0].message.content == f"I read: user: Question {number}"
    output = client.files.retrieve(done.output_file_id or "")
    assert output.bytes == len(client.files.content(output.id).content)
    job = httpx.get(f"{url}/v1/jobs/{results[0]['response']['request_id']}").json()
    assert job["priority"] == BATCH_PRIORITY + 5
    assert job["metadata"] == {"batch": batch.id, "custom_id": "q-1"}


def test_a_batch_of_responses(client: openai.OpenAI) -> None:
    lines = [
        {
            "custom_id": f"r-{number}",
            "method": "POST",
            "url": "/v1/responses",
            "body": {"model": MODEL, "input": f"Question {number}"},
        }
        for number in range(3)
    ]
    file = client.files.create(file=written(lines), purpose="batch")
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/responses", completion_window="24h")
    results = lines_of(client, ended(client, batch.id).output_file_id)
    told = [openai.types.responses.Response.model_validate(line["response"]["body"]) for line in results]
    assert [response.output_text for response in told] == [f"I read: user: Question {n}" for n in range(3)]
    assert client.responses.retrieve(told[0].id).output_text == told[0].output_text


def test_what_the_page_shows_works(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[4] / "docs" / "batches.md").read_text(encoding="utf-8")
    shown = page.partition("```python\n")[2].partition("```")[0]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "requests.jsonl").write_bytes(written([chat(1), chat(2)]))
    exec(shown.replace("http://127.0.0.1:8000", url), {})
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line]
    assert [line["custom_id"] for line in told] == ["q-1", "q-2"]


def test_wrong_lines_are_all_told_and_nothing_is_written(client: openai.OpenAI) -> None:
    lines = [
        chat(1),
        chat(2, model="anabranch/none"),
        chat(1),
        chat(4) | {"url": "/v1/embeddings"},
        chat(5, temperature=7),
        chat(6, stream=True),
    ]
    before = [file.id for file in client.files.list()]
    with pytest.raises(openai.UnprocessableEntityError) as refused:
        client.files.create(file=written(lines) + b"{not json\n", purpose="batch")
    body = refused.value.response.json()
    assert [fault["path"].partition(":")[0] for fault in body["errors"]] == [
        "line 2", "line 3", "line 4", "line 5", "line 6", "line 7",
    ]  # fmt: skip
    assert "6 of 7 lines are wrong" in body["detail"]
    assert [file.id for file in client.files.list()] == before


def test_the_same_key_is_the_same_batch(client: openai.OpenAI) -> None:
    file = client.files.create(file=written([chat(1)]), purpose="batch")
    key = {"Idempotency-Key": f"key-of-{file.id}"}

    def submit(**more: Any) -> openai.types.Batch:
        return client.batches.create(
            input_file_id=file.id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            extra_headers=key,
            **more,
        )

    assert submit().id == submit().id
    with pytest.raises(openai.ConflictError):
        submit(metadata={"another": "body"})


def test_files_and_batches_are_listed_page_by_page(client: openai.OpenAI) -> None:
    files = [client.files.create(file=written([chat(n)]), purpose="batch") for n in range(3)]
    files.sort(key=lambda file: file.id)  # which are made in time's order, up to a millisecond
    assert [file.id for file in client.files.list(limit=2)][:3] == [file.id for file in reversed(files)]
    made = [
        client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
        for file in files
    ]
    made.sort(key=lambda batch: batch.id)
    assert [batch.id for batch in client.batches.list(limit=2)][:3] == [batch.id for batch in reversed(made)]
    for batch in made:
        ended(client, batch.id)
    assert client.files.delete(files[0].id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(files[0].id)


def test_lines_of_jobs_make_a_batch_at_once(url: str) -> None:
    lines = [{"question": f"Question {n}", "policy": {"name": "sequential"}} for n in range(1, 4)]
    lines[1] |= {"custom_id": "mine"}

    def send(content: bytes) -> httpx.Response:
        headers = {"Content-Type": "application/jsonl", "Idempotency-Key": f"lines-{url}"}
        return httpx.post(f"{url}/v1/batches", content=content, headers=headers, timeout=60)

    made = send(written(lines))
    assert made.status_code == 200, made.text
    assert made.json()["endpoint"] == "/v1/jobs"
    assert send(written(lines)).json()["id"] == made.json()["id"]
    assert send(written(lines[:2])).status_code == 409
    batch = f"{url}{made.headers['location']}"
    until = time.monotonic() + PATIENCE
    while httpx.get(batch).json()["status"] != "completed":
        assert time.monotonic() < until
        time.sleep(0.1)
    results = [json.loads(line) for line in httpx.get(f"{batch}/results").text.splitlines()]
    assert [line["custom_id"] for line in results] == ["1", "mine", "3"]
    assert [line["response"]["body"]["answer"]["text"] for line in results] == [
        f"I read: user: Question {n}" for n in (1, 2, 3)
    ]


def test_what_has_not_ended_is_cancelled(client: openai.OpenAI) -> None:
    body = {
        "question": "Shall I?",
        "policy": {"name": "sequential"},
        "approvals": ["answer"],
    }  # it waits for a person, for ever
    lines = [{"custom_id": f"w-{n}", "method": "POST", "url": "/v1/jobs", "body": body} for n in range(300)]
    file = client.files.create(file=written(lines), purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id,
        endpoint="/v1/jobs",  # type: ignore[arg-type]
        completion_window="24h",
    )
    assert client.batches.cancel(batch.id).status == "cancelling"
    done = ended(client, batch.id)
    assert (done.status, done.output_file_id) == ("cancelled", None)
    assert done.request_counts is not None and done.request_counts.failed == 300
    errors = lines_of(client, done.error_file_id)
    assert [line["custom_id"] for line in errors] == [line["custom_id"] for line in lines]
    assert {line["error"]["code"] for line in errors} == {"batch_cancelled"}
    assert client.batches.cancel(batch.id).status == "cancelled"
