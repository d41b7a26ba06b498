"""The published examples over REST: the bodies of docs/policies.md, a scripted engine, the real checks."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from anabranch.dag.actions import Verifier
from anabranch.dag.ids import BranchId
from anabranch.service.api.app import create_app
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.live.feed import Feed
from anabranch.service.organizer.loop import Organizer
from anabranch.service.organizer.traces import Traces
from anabranch.service.settings import Settings
from anabranch.service.store.sql import schema
from anabranch.service.store.store import Store
from anabranch.workers.checks.verifiers import verify
from anabranch.workers.engines.script import Line, Script, rendered
from anabranch.workers.engines.scripted import ScriptedEngine
from anabranch.workers.messages import DecodeRequest
from anabranch.workers.pool.local import LocalPool
from anabranch.workers.pool.protocol import PoolLoad

PAGE = (Path(__file__).parents[2] / "docs" / "policies.md").read_text(encoding="utf-8")
ALL: list[Any] = [json.loads(body) for body in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
BODIES = {params["preset"]: body for body in ALL if "preset" in (params := body["policy"]["params"])}


class Checks:
    """The real verifiers, in this process."""

    async def compare(self, answers: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
        raise AssertionError(answers)

    async def verify(self, verifier: Verifier, values: Mapping[BranchId, str]) -> Any:
        return await asyncio.to_thread(verify, verifier, values)

    async def run_tool(self, tool: str, arguments: Mapping[str, Any]) -> str:
        raise AssertionError(tool)

    async def close(self) -> None: ...


class Organizers:
    """The organizer beside this API finds its jobs by itself."""

    def nudge(self, job: str) -> None: ...

    def load(self) -> PoolLoad | None:
        return PoolLoad(replicas=1, decoding=0, capacity=32)

    def count(self) -> int:
        return 1

    async def hear_load(self) -> PoolLoad | None:
        return self.load()


Run = Callable[[Mapping[str, Any], Script], Any]


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Run]:
    """Posts a job to the real API and gives it as it has ended."""
    settings = Settings(state=tmp_path)
    await schema.upgrade(settings.database)
    async with Store(settings.database) as store:
        deps = Dependencies(settings=settings, store=store, feed=Feed(store.journal), organizers=Organizers())
        transport = httpx.ASGITransport(create_app(deps))
        client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", timeout=100)

        async def post(body: Mapping[str, Any], script: Script) -> dict[str, Any]:
            pool = LocalPool(ScriptedEngine(script))
            traces = Traces(store, "scripted")
            organizer = Organizer(store, pool, Checks(), traces, name="one", lease_seconds=20.0)
            working = asyncio.create_task(organizer.run())
            taken = await client.post("/v1/jobs", json=body)
            assert taken.status_code == 202, taken.text
            ended: dict[str, Any] = (await client.get(taken.headers["Location"], params={"wait": 60})).json()
            await organizer.drain()
            await working
            await pool.close()
            return ended

        async with client:
            yield post
        await deps.feed.close()


def prompt_of(request: DecodeRequest) -> str:
    return rendered(request.context).removeprefix("user: ").removesuffix("\n")


# -- who plays the model -----------------------------------------------------------------------------------------------

LEFT = {
    "4 9 10 13": "10 - 4 = 6 (left: 6 9 13)\n9 + 13 = 22 (left: 4 10 22)\nI see no more.\n13 - 9 = 4 (left: 4 4 10)",
    "6 9 13": "13 - 9 = 4 (left: 4 6)\n6 + 9 = 15 (left: 13 15)",
    "4 10 22": "22 - 10 = 12 (left: 4 12)",
    "4 4 10": "10 - 4 = 6 (left: 4 6)",
    "4 6": "4 * 6 = 24 (left: 24)\n4 + 6 = 10 (left: 10)",
}
HOPELESS = {"4 10 22", "4 12", "13 15", "10"}


def play(request: DecodeRequest) -> Line:
    """Game of 24."""
    prompt = prompt_of(request)
    if prompt.startswith("Combine two"):
        return Line(text=LEFT.get(prompt.rpartition("Numbers: ")[2].partition("\n")[0], "nothing"))
    if "as one expression" in prompt:
        return Line(text="Answer: (10 - 4) * (13 - 9) = 24")
    if "Does this expression" in prompt:
        return Line(text="6 * 4 is 24, and each number is used.\nsure")
    state = prompt.rstrip().rpartition("\n")[2]
    return Line(text=f"I try.\n{'impossible' if state in HOPELESS else 'sure'}")


def numbers_in(text: str) -> list[list[int]]:
    return [json.loads(found) for found in re.findall(r"\[[\d, ]*\]", text)]


def sort(request: DecodeRequest) -> Line:
    """Sorting, with the slips that models make: of five tries at a half one is right, merging loses a number."""
    prompt = prompt_of(request)
    lists = numbers_in(prompt)
    slip = int(request.key.branch.rpartition(".")[2]) % 5
    match prompt.partition(" ")[0]:
        case "Split":
            half = len(lists[-1]) // 2
            return Line(text=json.dumps({"List 1": lists[-1][:half], "List 2": lists[-1][half:]}))
        case "Sort":
            found = sorted(lists[-1])
            return Line(text=str(found if slip == 3 else found[:slip] + found[slip + 1 :]))
        case "Merge":
            merged = sorted(lists[-1] + lists[-2])
            return Line(text=str(merged[:-1] if slip == 2 else merged[slip:][::-1]))
        case _:
            return Line(text=str(sorted(lists[-2])) if slip == 1 else "I cannot say.")


def count(request: DecodeRequest) -> Line:
    """Keyword counting; sums are wrong at first."""
    prompt = prompt_of(request)
    counts = [Counter(json.loads(found)) for found in re.findall(r"\{[^{}]*\}", prompt)]
    match prompt.partition(" ")[0]:
        case "Split":
            sentences = re.findall(
                r"[^.]+\.", prompt.partition("nothing else.\n")[2].removesuffix("\nOutput: ")
            )
            return Line(text=json.dumps({f"Part {n}": text.strip() for n, text in enumerate(sentences, 1)}))
        case "How":
            text = prompt.rpartition("Input: ")[2]
            return Line(text=json.dumps(Counter(re.findall(r"Chile|Peru|Laos", text))))
        case "Add":
            return Line(text=json.dumps(counts[-2]))
        case _:
            return Line(text=json.dumps(counts[-3] + counts[-2]))


def intersect(request: DecodeRequest) -> Line:
    """Set intersection."""
    prompt = prompt_of(request)
    lists = numbers_in(prompt)
    match prompt.partition(" ")[0]:
        case "Split":
            half = len(lists[-1]) // 2
            return Line(text=json.dumps({"Set 1": lists[-1][:half], "Set 2": lists[-1][half:]}))
        case "Which":
            first, _, part = lists[-3:]
            return Line(text=str([number for number in part if number in first]))
        case _:
            return Line(text=str(lists[-2] + lists[-1]))


# -- the examples ------------------------------------------------------------------------------------------------------


async def test_game_of_24(run: Run) -> None:
    job = await run(BODIES["game-of-24"], play)
    assert job["status"] == "succeeded", job["error"]
    solutions = job["answer"]["text"].split("\n\n")
    assert solutions[0] == (
        "10 - 4 = 6 (left: 6 9 13)\n13 - 9 = 4 (left: 4 6)\n4 * 6 = 24 (left: 24)\nAnswer: (10 - 4) * (13 - 9) = 24"
    )
    assert len(solutions) == 2  # all that are left of five: what states no answer in time is not proposed


async def test_sorting_32_numbers(run: Run) -> None:
    body = BODIES["sorting-32"]
    job = await run(body, sort)
    assert job["status"] == "succeeded", job["error"]
    assert json.loads(job["answer"]["text"]) == sorted(json.loads(body["question"]))


async def test_keyword_counting(run: Run) -> None:
    job = await run(BODIES["keyword-counting"], count)
    assert job["status"] == "succeeded", job["error"]
    assert json.loads(job["answer"]["text"]) == {"Chile": 3, "Peru": 2, "Laos": 1}


async def test_set_intersection(run: Run) -> None:
    body = BODIES["set-intersection-32"]
    job = await run(body, intersect)
    first, second = numbers_in(body["question"])
    assert sorted(json.loads(job["answer"]["text"])) == sorted(set(first) & set(second))


async def test_a_graph_of_ones_own_is_checked_by_ones_own_code(run: Run) -> None:
    """The draft is out of order; the improved one is not."""
    [body] = [each for each in ALL if "operations" in each["policy"]["params"]]

    def write(request: DecodeRequest) -> Line:
        right = "This is not right" in prompt_of(request)
        return Line(text="apple fig lime mango pear plum" if right else "pear apple fig lime mango plum")

    job = await run(body, write)
    assert job["answer"]["text"] == "apple fig lime mango pear plum"


async def test_a_tree_of_ones_own_asks_in_ones_own_words(run: Run) -> None:
    [body] = [each for each in ALL if "step_prompt" in each["policy"]["params"]]

    def write(request: DecodeRequest) -> Line:
        prompt = prompt_of(request)
        if "Can this still succeed?" in prompt:
            return Line(text="near" if prompt.count("O") > 3 else "Hm.\nlost")
        return Line(text="\n".join(["HOT", "HAT"] if "HOT" not in prompt else ["COT", "COG"]))

    job = await run(body, write)
    assert job["answer"]["text"] == "HOT\nCOT\nCOG"


async def test_hogwild_as_released(run: Run) -> None:
    [body] = [each for each in ALL if each["policy"]["name"] == "hogwild"]

    def write(request: DecodeRequest) -> Line:
        first = request.context.continuation.endswith("nothing is done twice.")
        if first:
            return Line(text=" I take the powers of 2: 15.\n\n")
        return Line(text=" 15 * 13 * 6 is \\boxed{1170}.\n\n")

    job = await run(body, write)
    assert job["answer"]["text"] == "1170"


async def test_skeleton_of_thought_as_published(run: Run) -> None:
    [body] = [each for each in ALL if each["policy"]["name"] == "skeleton-of-thought"]

    def write(request: DecodeRequest) -> Line:
        if request.key.branch == "0":
            return Line(text="1. Use\n2. Size of frame\n3. Price\n")
        return Line(text=f" it matters ({request.key.branch}).")

    job = await run(body, write)
    assert job["answer"]["text"] == (
        "1. Use: it matters (0.1).\n2. Size of frame: it matters (0.2).\n3. Price: it matters (0.3)."
    )
