"""A browser in front of the built dashboard. Without Chromium, Playwright or the build, these tests skip and say so."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.browser.house import house
from tests.browser.journals import journal

from anabranch.client import Client
from anabranch.service.api.static import STATIC

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

AXE = STATIC.parent / "node_modules" / "axe-core" / "axe.min.js"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
STORIES = {
    "vote": 1,
    "straggler": 2,
    "organizer": 3,
    "approval": 4,
    "faulty": 5,
    "failed": 6,
    "star": 7,
    "forest": 8,
    "sequential": 9,
    "treatise": 10,
}


@pytest.fixture(scope="session")
def program() -> str:
    """Where Chromium is."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("chromium is not here: apt-get install chromium")
    if not (STATIC / "index.html").exists():
        pytest.skip("the dashboard was not built: make ui")
    return found


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, program: str) -> Iterator[str]:
    """A service whose store holds one job of each story."""
    planted = [journal(name, seed=seed, nodes=1000) for name, seed in STORIES.items()]
    with house(tmp_path_factory.mktemp("house"), planted) as address:
        compare(address)
        yield address


def compare(address: str) -> None:
    """An evaluation of two policies on three tasks; one of its six trials is not judged yet."""
    tasks = [
        {"id": str(n), "question": f"What is {n} times seven?", "answer": str(7 * n), "grader": "math"}
        for n in (1, 2, 3)
    ]
    arms = [
        {"label": "sequential", "policy": "sequential"},
        {"label": "vote:n=3", "policy": "self-consistency"},
    ]
    verdicts = [
        ("1", "sequential", "sequential", 1.0), ("2", "sequential", "vote", 0.0), ("3", "sequential", "faulty", 0.0),
        ("1", "vote:n=3", "straggler", 1.0), ("2", "vote:n=3", "treatise", 1.0),
    ]  # fmt: skip
    with Client(address) as client:
        design = {"title": "shown", "digest": "0" * 64, "tasks": tasks, "arms": arms}
        client.create_evaluation("shown", design)
        for task, arm, story, score in verdicts:
            client.judge(
                "shown",
                task=task,
                arm=arm,
                job=job_of(story),
                score=score,
                detail="" if score else "5 is not 14",
            )


@pytest.fixture(scope="module")
def chromium(program: str, url: str) -> Iterator[Any]:
    """Behind the house, and closed with each module: while it runs, this thread can run no other event loop."""
    with playwright.sync_playwright() as started:
        playwright.expect.set_options(timeout=20_000)  # two busy cores draw a graph of a thousand in seconds
        browser = started.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


def job_of(story: str) -> str:
    return f"0195c000-0000-7000-8000-{STORIES[story]:012x}"


Open = Callable[..., Any]


@pytest.fixture
def visit(chromium: Any, url: str) -> Iterator[Open]:
    """Opens a page of the dashboard. Whatever it did wrong by itself (a script error, a refused or foreign request)
    fails the test."""
    wrongs: list[str] = []
    contexts = []

    def opened(path: str, *, may_miss: bool = False, **options: Any) -> Any:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 860}} | options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: wrongs.append(f"script error: {error}"))
        page.on("console", lambda said: wrongs.append(said.text) if is_wrong(said, may_miss) else None)
        page.on(
            "request",
            lambda asked: None if asked.url.startswith(url) else wrongs.append(f"asked {asked.url}"),
        )
        page.goto(url + path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not wrongs


def is_wrong(said: Any, may_miss: bool) -> bool:
    """Whether a line of the browser's console tells of a fault; with `may_miss`, what is not there, or is refused, is
    none."""
    return said.type == "error" and not (may_miss and ("403" in said.text or "404" in said.text))


@pytest.fixture(scope="session")
def axe() -> str:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm ci in service/dashboard")
    return Path(AXE).read_text(encoding="utf-8")
