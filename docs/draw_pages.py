"""Takes the pictures of docs/pages/: each page of the built dashboard, before a real service with lifelike jobs.

PYTHONPATH=.dev:. python docs/draw_pages.py
"""

import shutil
import tempfile
import time
from pathlib import Path

import httpx
from playwright.sync_api import Page, ViewportSize, sync_playwright
from tests.browser.conftest import FLAGS
from tests.browser.house import house
from tests.browser.showroom import ENDED, showroom

PICTURES = Path(__file__).parent / "pages"
GATED = {
    "question": "Should the old bridge be rebuilt?",
    "policy": {"name": "plan"},
    "approvals": ["plan", "answer"],
}
SIZE: ViewportSize = {"width": 1280, "height": 800}


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    now = time.time()
    planted = showroom(now)
    slow, quick = (planted[ENDED.index(name)][0]["job"] for name in ("straggler", "vote"))
    pages = {
        "jobs": "/jobs",
        "job": f"/jobs/{slow}",
        "waterfall": f"/jobs/{slow}?view=waterfall",
        "branch": f"/jobs/{slow}?node=0.7/1",
        "transcript": f"/jobs/{slow}?view=transcript",
        "approvals": "/approvals",
        "compare": f"/compare?a={slow}&b={quick}",
        "policies": "/policies",
        "submit": "/submit",
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        house(Path(folder), planted) as url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        httpx.post(f"{url}/v1/jobs", json=GATED).raise_for_status()
        page = browser.new_page(viewport=SIZE)
        for name, path in pages.items():
            take(page, url + path, PICTURES / f"{name}.png")
        browser.close()


def take(page: Page, address: str, picture: Path) -> None:
    page.goto(address)
    page.wait_for_timeout(1500)  # nothing moves any more
    page.screenshot(path=picture)


if __name__ == "__main__":
    main()
