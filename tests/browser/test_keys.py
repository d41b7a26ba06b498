"""The dashboard of a service that has tenants: the browser itself asks for the key, and sends it with everything."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Error, expect
from tests.browser.conftest import Open
from tests.browser.house import house

from anabranch.service.store.keys import NewKey
from anabranch.service.store.store import Store
from anabranch.service.tenants.file import add_key

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def tenants(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tenants") / "tenants.json"


@pytest.fixture(scope="module")
def keys(tenants: Path) -> dict[str, Any]:
    """As a person would type them in."""
    return {
        name: {"http_credentials": {"username": name, "password": add_key(tenants, name)}}
        for name in ("acme", "other")
    }


@pytest.fixture(scope="module")
def url(
    tmp_path_factory: pytest.TempPathFactory, program: str, tenants: Path, keys: dict[str, Any]
) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("keys")
    with house(folder, tenants=tenants) as address:
        made = asyncio.run(make_reader(f"sqlite:///{folder}/anabranch.db"))
        keys["reader"] = {"http_credentials": {"username": "reader", "password": made}}
        yield address


async def make_reader(database: str) -> str:
    """A key of acme's that only looks."""
    async with Store(database) as store:
        return (await store.keys.make(NewKey(tenant="acme", roles=["read"]))).key


def test_a_tenant_submits_follows_and_finds_its_own_jobs_and_no_other_tenant_does(
    visit: Open, keys: dict[str, Any]
) -> None:
    page = visit("/submit?policy=self-consistency", **keys["acme"])
    expect(page.get_by_label("Policy")).not_to_have_value("")
    page.get_by_label("Question").fill("Whose is this?")
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/jobs/*")
    expect(page.locator(".job-facts .status")).to_have_text("succeeded", timeout=20_000)

    mine = visit("/jobs", **keys["acme"])
    expect(mine.locator(".job-row").filter(has_text="Whose is this?")).to_be_visible()
    theirs = visit("/jobs", **keys["other"])
    expect(theirs.locator(".connection")).to_contain_text("Live")
    expect(theirs.locator(".job-row")).to_have_count(0)
    job = page.url.rpartition("/")[2]
    found = visit(f"/jobs/{job}", may_miss=True, **keys["other"])
    expect(found.locator("body")).to_contain_text(f"There is no job {job}")


def test_a_key_that_only_reads_is_told_what_it_may_not_do(visit: Open, keys: dict[str, Any]) -> None:
    page = visit("/submit?policy=self-consistency", may_miss=True, **keys["reader"])
    page.get_by_label("Question").fill("May I?")
    page.get_by_role("button", name="Submit").click()
    expect(page.locator("body")).to_contain_text("takes a key with the role submit; this one is for: read")
    listed = visit("/jobs", **keys["reader"])
    expect(listed.locator(".connection")).to_contain_text("Live")
    expect(listed.locator(".job-row").filter(has_text="May I?")).to_have_count(0)


def test_without_a_key_there_is_not_even_the_page(chromium: Any, url: str) -> None:
    """Where nobody can type it in, the browser gives up."""
    with chromium.new_context() as context, pytest.raises(Error, match="ERR_INVALID_AUTH_CREDENTIALS"):
        context.new_page().goto(f"{url}/jobs")
