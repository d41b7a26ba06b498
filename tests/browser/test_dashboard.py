"""The dashboard as a person uses it: mouse, keyboard, address bar, phone."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Open, job_of

pytestmark = pytest.mark.browser

PAGES = [
    "/jobs",
    "/approvals",
    "/batches",
    "/policies",
    "/evaluations",
    "/evaluations/shown",
    "/submit",
    f"/compare?a={job_of('vote')}&b={job_of('straggler')}",
    f"/jobs/{job_of('straggler')}",
    f"/jobs/{job_of('straggler')}?node=0.7/1",
    f"/jobs/{job_of('approval')}?view=waterfall&node=0/j1",
    f"/jobs/{job_of('faulty')}?view=transcript",
    f"/jobs/{job_of('failed')}?view=journal",
    f"/jobs/{job_of('treatise')}?node=answer",
    f"/jobs/{job_of('faulty')}?view=branches&node=0.2/1",
    "/nowhere",
]


def settled(page: Page) -> Page:
    """Once what the page shows first is there."""
    expect(page.locator("h1").first).to_be_visible()
    page.wait_for_load_state("load")
    return page


def on_canvas(page: Page, node: str) -> None:
    """Click a node of the graph, once nothing moves: a click takes longer to arrive than a node stays."""
    graph = page.locator(".graph canvas")
    expect(graph).to_have_attribute("data-nodes", re.compile("[1-9]"))
    at: dict[str, Any] = page.wait_for_function(
        """id => {
            const { graph } = document.querySelector('.graph canvas');
            return graph && !graph.isMoving && graph.screenPosition(id);
        }""",
        arg=node,
    ).json_value()
    page.mouse.click(at["x"], at["y"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_pages_pass_axe(visit: Open, axe: str, path: str, scheme: str) -> None:
    page = settled(visit(path, color_scheme=scheme, bypass_csp=True))
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []


@pytest.mark.parametrize("path", PAGES)
def test_pages_fit_a_phone(visit: Open, path: str) -> None:
    page = settled(visit(path, viewport={"width": 390, "height": 844}, has_touch=True))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect(page.get_by_role("link", name="New job")).to_be_in_viewport(ratio=1)


def test_a_slow_job_is_explained_in_words(visit: Open) -> None:
    page = visit(f"/jobs/{job_of('straggler')}")
    expect(page.locator(".story-first")).to_contain_text(
        "Branch 0.7 made this job slow: 34 s of the 34 s of work on the critical path are its"
    )
    page.get_by_role("button", name="Critical path by tokens").click()
    expect(page.locator(".story-first")).to_contain_text("it decoded 1,900 tokens of the 1,900 tokens")
    expect(page).to_have_url(re.compile("path=tokens"))
    expect(page.get_by_label("Metrics")).to_contain_text("Claim wait")
    page.locator(".story-first .branch").click()
    expect(page.locator(".panel h2")).to_contain_text("0.7")


def test_an_evaluation_is_a_plot_a_table_and_a_matrix_that_leads_to_its_jobs(visit: Open) -> None:
    page = visit("/evaluations")
    page.get_by_role("link", name="shown").click()
    expect(page.locator("h1")).to_have_text("shown")
    expect(page.locator(".page")).to_contain_text("3 tasks, 2 policies; 5 of 6 trials judged")
    expect(page.locator(".frontier .point")).to_have_count(2)
    expect(
        page.get_by_role("region", name="Policies").get_by_role("row", name=re.compile("vote:n=3"))
    ).to_contain_text("2 of 2")
    expect(page.get_by_role("region", name="Differences")).to_contain_text("+50")
    page.get_by_role("button", name="Time", exact=True).click()
    expect(page).to_have_url(re.compile("cost=wall_seconds"))
    tasks = page.get_by_role("region", name="Tasks")
    expect(tasks.get_by_role("row")).to_have_count(1 + 3)
    tasks.get_by_role("checkbox").check()
    expect(tasks.get_by_role("row")).to_have_count(1 + 1)
    page.get_by_role("link", name="wrong: job of 2 by sequential").click()
    expect(page).to_have_url(re.compile(f"/jobs/{job_of('vote')}"))


def test_an_answer_is_rated_by_a_thumb(visit: Open) -> None:
    page = visit(f"/jobs/{job_of('sequential')}")
    page.get_by_role("button", name="A good answer").click()
    expect(page.locator(".rating")).to_contain_text("client: 1")
    page.get_by_role("button", name="A bad answer").click()
    expect(page.locator(".rating")).to_contain_text("client: 0")
    expect(page.get_by_role("button", name="A bad answer")).to_have_attribute("aria-pressed", "true")


def test_a_selection_is_the_same_everywhere_and_has_an_address(visit: Open) -> None:
    page = visit(f"/jobs/{job_of('straggler')}")
    on_canvas(page, "0.7/1")
    expect(page).to_have_url(re.compile(r"node=0\.7/1"))
    page.get_by_role("tab", name="Waterfall").click()
    expect(page.get_by_role("option", selected=True)).to_contain_text("0.7/1")
    expect(page.locator(".panel")).to_contain_text("1,900 tok")
    page.go_back()
    expect(page.get_by_role("tab", name="Graph")).to_have_attribute("aria-selected", "true")
    page.go_back()
    expect(page.locator(".panel")).to_have_count(0)
    page.goto(page.url + "?view=waterfall&node=0.3/1")
    expect(page.get_by_role("option", selected=True)).to_contain_text("0.3/1")


def test_a_branch_shows_its_exact_context_and_who_used_it(visit: Open) -> None:
    page = visit(f"/jobs/{job_of('straggler')}?node=0.3/1")
    panel = page.locator(".panel")
    expect(panel.locator(".context")).to_contain_text("A river splits into three arms")
    expect(panel).to_contain_text("Used by")
    expect(panel.get_by_role("link", name="answer")).to_be_visible()
    expect(panel.get_by_role("button", name="Copy as curl")).to_be_visible()


def test_thoughts_are_folded_beside_the_text_and_counted(visit: Open) -> None:
    page = visit(f"/jobs/{job_of('sequential')}?node=0/1")
    panel = page.locator(".panel")
    thoughts = panel.get_by_role("group").filter(has_text="Thoughts, 420 tokens")
    expect(thoughts).to_be_visible()
    expect(thoughts.get_by_text("Wait: ")).to_be_hidden()
    thoughts.get_by_text("Thoughts, 420 tokens").click()
    expect(thoughts.get_by_text("Wait: ")).to_be_visible()
    expect(panel.locator(".measures")).to_contain_text("420 tok")
    page.goto(page.url + "&view=transcript")
    expect(page.locator(".transcript").get_by_text("Thoughts, 420 tokens")).to_be_visible()


def test_markdown_and_formulas_are_drawn_and_a_switch_shows_them_raw(visit: Open) -> None:
    page = visit(f"/jobs/{job_of('treatise')}")
    answer = page.get_by_label("Answer", exact=True)
    expect(answer.locator(".markdown .heading").first).to_have_text("On boats")
    expect(answer).to_contain_text("It costs $5 and $6")
    expect(answer.locator(".unseen").filter(has_text="RLO")).to_have_count(1)
    expect(answer.locator(".unseen").filter(has_text="+28")).to_have_count(1)
    answer.get_by_role("button", name="Load more").click()
    expect(answer.locator(".katex").first).to_be_visible()
    expect(answer.locator(".code-block").nth(1)).to_contain_text("for boat in boats:")
    expect(answer.get_by_role("group", name="Table").first).to_be_visible()
    answer.get_by_role("button", name="Raw").click()
    expect(answer.locator(".markdown")).to_have_count(0)
    expect(answer).to_contain_text("# On boats")
    expect(answer).to_contain_text("With $x_{0} =")


def test_nothing_hostile_works_whatever_is_drawn(visit: Open) -> None:
    page = visit(f"/jobs/{job_of('treatise')}?node=0/1")
    for view in ("", "&view=transcript", "&view=journal"):
        page.goto(page.url.split("&")[0] + view)
        page.locator(".panel .thoughts summary").first.click()
        expect(page.locator(".panel .markdown .katex").first).to_be_visible()
        assert page.evaluate("window.owned") is None
        assert page.locator("main :is(img, script, iframe, svg[onload], [onclick], [onerror])").count() == 0
        links = page.locator(".markdown a").evaluate_all("all => all.map(one => one.protocol)")
        assert set(links) <= {"https:", "http:"}


def test_a_vote_shows_who_stood_for_what_on_the_first_screen(visit: Open) -> None:
    page = visit(f"/jobs/{job_of('vote')}")
    tally = page.get_by_label("Vote", exact=True)
    expect(tally.locator("h3")).to_contain_text(" : ")
    expect(tally.locator("li.winner .branch").first).to_be_in_viewport()


def test_who_is_sent_to_a_wrong_answer_is_one_click_from_the_branch_that_brought_it(visit: Open) -> None:
    """As docs/dashboard.md tells it: who stood for it, what that one wrote, what came of it without that one."""
    page = visit(f"/jobs/{job_of('vote')}")
    page.get_by_label("Vote", exact=True).locator("li.winner .branch").first.click()
    panel = page.locator(".panel")
    expect(panel.get_by_text("Voted for")).to_be_visible()
    expect(panel.locator(".written")).not_to_be_empty()
    panel.get_by_role("button", name="Edit and re-run from here").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def test_a_failed_job_leads_to_the_branch_that_failed(visit: Open) -> None:
    page = visit(f"/jobs/{job_of('failed')}")
    card = page.get_by_label("Error")
    expect(card).to_contain_text("the engine refused twice")
    expect(card).to_contain_text("after 2 attempts")
    card.get_by_role("link", name="0.3/1").click()
    expect(page.locator(".panel h2")).to_contain_text("0.3")


def test_a_join_shows_what_each_branch_gave(visit: Open) -> None:
    page = visit(f"/jobs/{job_of('faulty')}?node=0/j1")
    given = page.locator(".contributions li")
    expect(given).to_have_count(3)
    expect(given.nth(2)).to_contain_text("failed")


def test_a_fork_of_a_thousand_folds_and_opens(visit: Open) -> None:
    page = visit(f"/jobs/{job_of('star')}")
    canvas = page.locator(".graph canvas")
    expect(canvas).to_have_attribute("data-nodes", "7")
    page.keyboard.press("]")
    expect(canvas).to_have_attribute("data-nodes", "1000")
    expect(page).to_have_url(re.compile("open=all"))
    page.keyboard.press("[")
    expect(canvas).to_have_attribute("data-nodes", "7")
    on_canvas(page, "stack:0@start")
    expect(canvas).to_have_attribute("data-nodes", "1000")


def test_the_waterfall_of_a_thousand_rows_mounts_only_what_is_seen(visit: Open) -> None:
    page = visit(f"/jobs/{job_of('star')}?view=waterfall")
    rows = page.get_by_role("option")
    expect(rows.first).to_be_visible()
    assert rows.count() < 60
    expect(rows.first).to_have_attribute("aria-setsize", "999")


def test_two_hours_of_waiting_do_not_hide_ten_seconds_of_work(visit: Open) -> None:
    page = visit(f"/jobs/{job_of('approval')}?view=waterfall")
    expect(page.locator(".gap-label")).to_have_text("2 h 14 min")
    gap = page.locator(".waterfall-rows .gap").bounding_box()
    work = page.locator(".waterfall-row").filter(has_text="0.1/1").locator(".bar.decode").bounding_box()
    assert gap is not None
    assert work is not None
    assert work["width"] > 3 * gap["width"]


def test_everything_can_be_done_from_the_keyboard(visit: Open) -> None:
    page = visit(f"/jobs/{job_of('straggler')}")
    expect(page.locator(".story-first")).to_be_visible()
    page.keyboard.press("2")
    expect(page.get_by_role("option").first).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.get_by_role("option", selected=True)).to_have_attribute("aria-posinset", "1")
    page.keyboard.press("c")
    expect(page).to_have_url(re.compile(r"node=0\.7/1"))
    page.keyboard.press("/")
    page.keyboard.type("sample 3")
    expect(page.locator(".find-count")).to_contain_text("1")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"node=0\.3/1"))
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.locator(".panel")).to_have_count(0)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("Next on the critical path")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("p")
    expect(page).to_have_url(re.compile("/policies$"))


def test_a_finished_job_can_be_scrubbed_through_time(visit: Open) -> None:
    page = visit(f"/jobs/{job_of('straggler')}")
    playhead = page.get_by_role("slider", name="Playhead")
    playhead.fill("200")
    playhead.press("ArrowRight")
    expect(playhead).to_have_value("201")
    expect(page).to_have_url(re.compile(r"[?&]t=\d"))
    live = "[...document.querySelector('.graph canvas').graph.scene.cards.values()].filter(card => card.live).length"
    assert page.evaluate(live) > 0
    page.keyboard.press("e")
    page.wait_for_function(f"{live} === 0")


def test_two_jobs_are_matched_by_branch(visit: Open) -> None:
    page = visit(f"/compare?a={job_of('vote')}&b={job_of('straggler')}")
    expect(page.get_by_role("row", name=re.compile("Critical path T"))).to_contain_text("1,900")
    expect(page.get_by_role("row", name=re.compile("Critical path T"))).to_contain_text("as much")
    expect(page.get_by_role("group", name="B at 0.1").locator("ins").first).to_be_visible()
    expect(page.locator(".compare-row")).to_have_count(9)
    expect(page.locator(".graph.mini")).to_have_count(2)


def test_the_list_is_filtered_by_what_the_address_says(visit: Open) -> None:
    page = visit("/jobs?policy=thread-weaver&status=failed")
    expect(page.locator(".job-row")).to_have_count(1)
    page.get_by_label("Status").select_option("")
    expect(page.locator(".job-row")).to_have_count(3)
    page.get_by_label("Search jobs").fill("the engine refused")
    expect(page.locator(".job-row")).to_have_count(2)
    expect(page).to_have_url(re.compile("said=the\\+engine\\+refused"))
    page.get_by_label("Search jobs").fill("no such words")
    expect(page.locator(".empty")).to_contain_text("No job fits")


def test_a_view_of_the_list_is_kept_under_a_name(visit: Open) -> None:
    page = visit("/jobs?policy=self-consistency")
    page.get_by_label("Sort").select_option("time")
    expect(page.locator(".job-row")).to_have_count(3)
    page.get_by_label("Name of this view").fill("votes")
    page.get_by_label("Name of this view").press("Enter")
    page.get_by_text("Columns").click()
    page.get_by_role("checkbox", name="Waste").check()
    expect(page.locator(".job-waste").first).to_contain_text("%")
    page.goto(page.url.split("?")[0])
    expect(page.locator(".job-waste").first).to_be_visible()
    page.get_by_role("link", name="votes").click()
    expect(page).to_have_url(re.compile("policy=self-consistency&sort=time"))
    page.get_by_role("button", name="Group errors").click()
    expect(page.locator(".empty")).to_contain_text("No job here failed.")
    page.goto(page.url.split("?")[0] + "?group=error")
    expect(page.locator(".error-group")).to_contain_text("1 × No answer was found")


def test_light_and_dark_can_be_chosen_and_stay(visit: Open) -> None:
    page = visit("/jobs", color_scheme="light")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Switch to dark").click()
    dark = page.evaluate(ground)
    page.reload()
    assert page.evaluate(ground) == dark != light


def test_an_unknown_job_is_told_and_leaves_the_stream_alone(visit: Open, url: str) -> None:
    page = visit("/jobs", may_miss=True)
    expect(page.locator(".connection")).to_contain_text("Live")
    page.evaluate("history.pushState(null, '', '/jobs/0195c000-0000-7000-8000-00000000ffff')")
    page.evaluate("dispatchEvent(new PopStateEvent('popstate'))")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator(".connection")).to_contain_text("Live")


@pytest.mark.parametrize("path", ["/jobs/nope", "/batches/nope", "/evaluations/nope"])
def test_an_address_of_nothing_says_so(visit: Open, path: str) -> None:
    expect(visit(path, may_miss=True).get_by_role("alert")).to_contain_text("No such thing")


@pytest.mark.parametrize("path", ["/approvals/nope", "/submit/nope", "/compare/nope", "/jobs/nope/nope"])
def test_an_address_below_a_page_that_has_none_is_no_page(visit: Open, path: str) -> None:
    page = visit(path)
    expect(page.locator("h1")).to_have_text("Nothing here")
    expect(page.locator(".page")).to_contain_text(path)


def test_a_policy_that_is_not_here_is_told(visit: Open) -> None:
    page = visit("/policies/nope")
    expect(page.locator(".page")).to_contain_text("There is no policy nope here")
    expect(page.locator(".policy").first).to_be_visible()
