"""Plots: the same evaluation gives the same bytes; points are links, the frontier is marked."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from anabranch.service.client.evaluations import Evaluation
from anabranch.service.evaluation.errors import BadTasks
from anabranch.service.evaluation.plots import draw


def report(arm: str, right: int, path: float, total: float) -> dict[str, object]:
    return {
        "arm": arm, "trials": 20, "right": right, "accuracy": right / 20, "mean_score": right / 20,
        "interval": {"low": max(0.0, right / 20 - 0.2), "high": min(1.0, right / 20 + 0.2)},
        "critical_path_tokens": path, "total_tokens": total, "parallelism": total / path, "waste": 0.1,
        "wall_seconds": path / 50, "median_wall_seconds": path / 50, "cost": 0.0, "jobs": [],
    }  # fmt: skip


@pytest.fixture
def evaluation() -> Evaluation:
    return Evaluation.model_validate(
        {
            "run": "sums", "title": "sums", "tasks": 20, "arms": ["one", "vote"], "judged": 40, "design": {},
            "created_at": "2026-03-14T09:26:53Z", "updated_at": "2026-03-14T09:26:53Z", "differences": [], "trials": [],
            "reports": [report("one", 10, 100, 100), report("vote", 15, 120, 400), report("bad", 5, 130, 500)],
            "frontiers": {axis: ["one", "vote"] for axis in ("critical_path_tokens", "total_tokens", "wall_seconds")},
        }
    )  # fmt: skip


def link(arm: str) -> str:
    return f"http://here/evaluations/sums?arm={arm}"


@pytest.mark.parametrize("form", ["svg", "png"])
def test_the_same_evaluation_gives_the_same_bytes(evaluation: Evaluation, tmp_path: Path, form: str) -> None:
    one, other = tmp_path / f"one.{form}", tmp_path / f"other.{form}"
    draw(evaluation, one, link)
    draw(evaluation, other, link)
    assert one.read_bytes() == other.read_bytes()
    assert b"2026" not in one.read_bytes()[:2000]


def test_each_point_is_a_link_and_the_frontier_is_marked(evaluation: Evaluation, tmp_path: Path) -> None:
    file = tmp_path / "plot.svg"
    draw(evaluation, file, link)
    drawn = ET.parse(file)
    targets = [
        one.get("{http://www.w3.org/1999/xlink}href") for one in drawn.iter("{http://www.w3.org/2000/svg}a")
    ]
    words = [(one.text or "").strip() for one in drawn.iter("{http://www.w3.org/2000/svg}text")]
    for arm in ("one", "vote", "bad"):
        assert targets.count(link(arm)) >= 3
    assert words.count("one ★") == words.count("vote ★") == words.count("bad") == 3
    assert {"critical path T (tokens)", "all tokens L", "wall clock (s)"} <= set(words)


def test_a_picture_is_a_picture(evaluation: Evaluation, tmp_path: Path) -> None:
    draw(evaluation, tmp_path / "plot.png", link)
    with Image.open(tmp_path / "plot.png") as picture:
        assert (picture.format, picture.width > 1000) == ("PNG", True)


def test_another_ending_is_refused(evaluation: Evaluation, tmp_path: Path) -> None:
    with pytest.raises(BadTasks, match=r"ends with \.png or \.svg"):
        draw(evaluation, tmp_path / "plot.doc", link)
