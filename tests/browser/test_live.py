"""Jobs that run while one looks: submitted, approved, cancelled, edited. The engine recites; all else is real."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Open
from tests.browser.house import house

from anabranch.client import Client
from anabranch.workers.engines.script import Line
from anabranch.workers.messages import DecodeRequest

pytestmark = pytest.mark.browser

HOSTILE = '<img src=x onerror="window.owned=1"><script>window.owned=1</script> </textarea>'

DEEP = f"{'* ' * 200}an item\n\n{'>' * 300} a quote\n\n**The end.**"

HIDE = """hidden => {
    Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def script(request: DecodeRequest) -> Line:
    """A sample each ends a little later than the one before it; where it is asked for, slowly and behind a thought, or
    in deeply nested Markdown."""
    if "deeply" in request.context.messages[-1][1]:
        return Line(text=f"{DEEP} \\boxed{{42}}")
    slowly = "slowly" in request.context.messages[-1][1]
    words = 240 if slowly else 40 * int(request.key.branch.rpartition(".")[2])
    text = " ".join(["word"] * words) + f" {HOSTILE} The answer is \\boxed{{42}}"
    return Line(text=text, thought=" ".join(["hmm"] * 240) if slowly else "")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, program: str) -> Iterator[str]:
    with house(tmp_path_factory.mktemp("live"), script=script, tokens_per_second=80) as address:
        yield address


def submit(page: Any, question: str, n: int = 3) -> None:
    expect(page.get_by_label("Policy")).not_to_have_value("")
    page.get_by_label("Question").fill(question)
    page.get_by_label("n", exact=True).fill(str(n))
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/jobs/*")


def test_a_submitted_job_grows_before_the_eyes_and_ends(visit: Open) -> None:
    page = visit("/submit?policy=self-consistency")
    submit(page, "What is six times seven?")
    canvas = page.locator(".graph canvas")
    expect(page.locator(".job-facts .status")).to_have_text("running")
    expect(page.locator(".story-first")).to_contain_text("Running:")
    expect(canvas).to_have_attribute("data-nodes", re.compile(r"^[5-9]$"))
    told = """() => [...document.querySelector('.graph canvas').graph.scene.cards.values()]
        .some(card => card.live && /^[1-9]\\d* tok/.test(card.right))"""
    page.wait_for_function(told)
    expect(page.locator(".job-facts .status")).to_have_text("succeeded", timeout=20_000)
    expect(page.locator(".outcome")).to_contain_text("42")


def test_a_running_branch_shows_what_it_thinks_and_writes_as_it_comes(visit: Open) -> None:
    page = visit("/submit?policy=self-consistency")
    submit(page, "What is six times seven, slowly?", n=1)
    expect(page.locator(".graph canvas")).to_have_attribute("data-nodes", re.compile(r"^[2-4]$"))
    page.goto(page.url + "?node=0.1/1")
    panel = page.locator(".panel")
    expect(panel.locator(".thoughts[open]")).to_contain_text("Thinking, ")
    expect(panel.locator(".thoughts[open] .growing")).to_contain_text("hmm hmm hmm")
    growing = panel.locator(".written > .growing")
    expect(growing).to_contain_text("word word word")
    expect(panel.locator(".thoughts[open]")).to_have_count(0)
    meanwhile = page.locator(".panel").filter(has=page.locator(".written > .growing"))
    expect(meanwhile.locator(".measures")).to_contain_text(re.compile(r"Decoded[1-9]\d* tokThought240 tok"))
    expect(panel.locator("h2 .status")).to_have_text("returned", timeout=20_000)
    expect(growing).to_have_count(0)
    expect(panel.locator(".written")).to_contain_text("The answer is")
    expect(panel).to_contain_text("Thoughts, 240 tokens")


def test_the_list_shows_a_job_as_it_comes_and_as_it_changes(visit: Open) -> None:
    looking = visit("/jobs")
    expect(looking.locator(".connection")).to_contain_text("Live")
    submit(visit("/submit?policy=self-consistency"), "Is this seen in the list?")
    row = looking.locator(".job-row").filter(has_text="Is this seen in the list?")
    expect(row).to_contain_text("running")
    expect(row).to_contain_text("succeeded", timeout=20_000)


def test_what_a_model_wrote_is_text_and_nothing_else(visit: Open) -> None:
    page = visit("/submit?policy=self-consistency")
    submit(page, HOSTILE)
    expect(page.locator(".job-facts .status")).to_have_text("succeeded", timeout=20_000)
    page.get_by_role("tab", name="Transcript").click()
    expect(page.locator(".transcript")).to_contain_text("onerror=")
    page.get_by_role("tab", name="Graph").click()
    page.keyboard.press("j")
    expect(page.locator(".panel")).to_be_visible()
    assert page.locator("main img, main script").count() == 0
    assert page.evaluate("window.owned") is None


@pytest.mark.parametrize("width", [1280, 360])
def test_text_that_is_nested_without_end_stays_in_its_box(visit: Open, url: str, width: int) -> None:
    with Client(url) as client:
        policy = {"name": "self-consistency", "params": {"n": 1}}
        job = client.wait(client.submit("Say it deeply.", policy=policy).id)
    page = visit(f"/jobs/{job.id}?node=0.1/1", viewport={"width": width, "height": 860})
    panel = page.locator(".panel")
    expect(panel.locator(".markdown strong")).to_have_text("The end.")
    assert panel.evaluate("panel => panel.scrollWidth - panel.clientWidth") == 0
    for seen in ("Edit and re-run", "Copy output"):
        box = panel.get_by_role("button", name=seen).bounding_box()
        assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= width
    for written in ("an item", "a quote"):
        expect(panel.locator(".markdown")).to_contain_text(written)
    assert panel.locator(".markdown").evaluate("text => text.scrollWidth - text.clientWidth") == 0


def test_a_person_approves_where_the_job_is_seen(visit: Open) -> None:
    page = visit("/submit?policy=self-consistency")
    page.get_by_text("Budget, sampling, seed, metadata, approvals").click()
    page.get_by_label("answer").check()
    submit(page, "May I?")
    expect(page.locator(".job-facts .status")).to_have_text("waiting", timeout=20_000)
    expect(page.locator(".shell-nav .badge")).to_have_text("1")
    page.get_by_role("button", name="Approve", exact=True).click()
    expect(page.locator(".job-facts .status")).to_have_text("succeeded", timeout=20_000)
    expect(page.locator(".shell-nav .badge")).to_have_count(0)


def test_a_fork_is_approved_by_what_its_branches_would_read(visit: Open) -> None:
    page = visit("/submit?policy=self-consistency")
    page.get_by_text("Budget, sampling, seed, metadata, approvals").click()
    page.get_by_label("tokens", exact=True).fill("4000")
    page.get_by_label("fork").check()
    submit(page, "May they?")
    card = page.locator(".approval")
    expect(card).to_contain_text("3 × sample", timeout=20_000)
    expect(card).to_contain_text("reads the question")
    expect(card.locator(".budget-left")).to_contain_text("4,000 of 4,000")
    card.get_by_role("button", name="Approve", exact=True).click()
    expect(page.locator(".job-facts .status")).to_have_text("succeeded", timeout=20_000)


def test_the_api_page_sends_a_request(visit: Open) -> None:
    page = visit("/docs")
    page.locator("#operations-policies-policies_v1_policies_get").click(timeout=60_000)  # the viewer is large
    page.get_by_role("button", name="Execute").first.click()
    expect(page.locator(".responses-table .response").first).to_contain_text(
        "self-consistency", timeout=20_000
    )


def test_a_running_job_is_cancelled(visit: Open) -> None:
    page = visit("/submit?policy=self-consistency")
    submit(page, "Stop me", n=16)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".job-facts .status")).to_have_text("cancelled", timeout=20_000)
    expect(page.locator(".story-first")).to_contain_text("Cancelled")


def test_selected_jobs_are_cancelled_from_the_list(visit: Open) -> None:
    page = visit("/submit?policy=self-consistency")
    submit(page, "Stop this one, too, slowly", n=4)
    page.goto(page.url.split("/jobs/")[0] + "/jobs?said=Stop+this+one")
    page.get_by_role("button", name="Select").click()
    page.get_by_label("Select Stop this one").check()
    page.get_by_role("button", name="Cancel 1 job").click()
    page.get_by_role("button", name="Yes, cancel 1 job").click()
    expect(page.locator(".job-row")).to_contain_text("cancelled", timeout=20_000)


def test_a_batch_is_followed_stopped_and_its_results_are_saved(visit: Open, url: str) -> None:
    line = {"policy": {"name": "self-consistency", "params": {"n": 1}}, "budget": {"tokens": 5000}}
    with Client(url) as client:
        done = client.submit_batch(json.dumps({**line, "question": "Quick?", "custom_id": "mine"}).encode())
    page = visit("/batches")
    quick = page.locator(".batch").filter(has_text=done.id)
    expect(quick).to_contain_text("completed", timeout=20_000)
    expect(quick).to_contain_text("1 of 1 line")
    with page.expect_download() as saved:
        quick.get_by_role("button", name="Results").click()
    assert '"custom_id":"mine"' in Path(saved.value.path()).read_text().replace(" ", "")
    slowly = "\n".join(json.dumps({**line, "question": f"Say it slowly, {n}"}) for n in range(3))
    with Client(url) as client:
        slow = page.locator(".batch").filter(has_text=client.submit_batch(slowly.encode()).id)
    slow.get_by_role("button", name="Cancel").click()
    slow.get_by_role("button", name="Yes, cancel").click()
    expect(slow).to_contain_text("cancelled", timeout=20_000)
    page.goto(f"{url}/batches/{done.id}")
    expect(page.locator(".batch")).to_have_count(1)
    expect(quick).to_contain_text("completed")
    quick.get_by_role("link", name="Jobs").click()
    expect(page.locator(".job-row")).to_have_count(1)


def test_a_job_is_run_again_with_an_edit(visit: Open) -> None:
    page = visit("/submit?policy=self-consistency")
    page.get_by_text("Budget, sampling, seed, metadata, approvals").click()
    page.get_by_label("Metadata").fill('{"team": "search"}')
    submit(page, "Once?", n=2)
    page.get_by_text("Details: model").click()
    expect(page.locator(".job-details")).to_contain_text("search")
    first = page.url
    page.get_by_role("link", name="Run again").click()
    expect(page.get_by_label("n", exact=True)).to_have_value("2")
    expect(page.get_by_label("Metadata")).to_have_value(re.compile("search"))
    page.get_by_label("Question").fill("Twice?")
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url(lambda now: "/jobs/" in now and now != first)
    expect(page.locator("h1")).to_contain_text("Twice?")


def test_a_branch_is_edited_and_run_again(visit: Open) -> None:
    page = visit("/submit?policy=self-consistency")
    submit(page, "What is six times seven, again?")
    expect(page.locator(".job-facts .status")).to_have_text("succeeded", timeout=20_000)
    first = page.url
    page.goto(first + "?node=0.1/1")
    page.get_by_role("button", name="Edit and re-run from here").click()
    page.get_by_label("What 0.1 returned").fill("The answer is \\boxed{7}")
    page.get_by_role("button", name="Re-run", exact=True).click()
    page.wait_for_url(lambda now: "/jobs/" in now and first.split("/")[-1] not in now)
    expect(page.locator(".job-facts")).to_contain_text("edited at 0.1")


def test_the_clock_stands_while_the_service_is_away(visit: Open) -> None:
    page = visit("/submit?policy=self-consistency")
    submit(page, "How long, slowly?", n=1)
    expect(page.locator(".job-facts .status")).to_have_text("running")
    page.evaluate("() => { window.fetch = () => Promise.reject(new TypeError('away')); }")
    page.evaluate(HIDE, True)
    page.evaluate(HIDE, False)
    expect(page.locator(".connection")).to_contain_text("Connection lost")
    before = page.locator(".overview-time").inner_text()
    page.wait_for_timeout(2200)  # the clock is renewed every second
    assert page.locator(".overview-time").inner_text() == before


def test_a_hidden_page_closes_its_stream_and_a_seen_one_catches_up(visit: Open) -> None:
    page = visit("/submit?policy=self-consistency")
    submit(page, "What happened meanwhile?", n=4)
    page.evaluate(HIDE, True)
    expect(page.locator(".connection")).to_contain_text("Paused")
    page.evaluate("job => fetch(`/v1/jobs/${job}?wait=15`)", page.url.split("/")[-1])
    expect(page.locator(".job-facts .status")).not_to_have_text("succeeded")
    page.evaluate(HIDE, False)
    expect(page.locator(".job-facts .status")).to_have_text("succeeded")
