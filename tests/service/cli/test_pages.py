"""The pages of first use say what the code says: which policy to take, and which messages there are."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from anabranch.service.cli.choosing import ADVICE, KINDS, Kind

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
GAP = "…"
"""Stands for what differs from one message to the next."""


@pytest.mark.parametrize("kind", Kind)
def test_the_page_recommends_what_the_command_does(kind: Kind) -> None:
    page = (DOCS / "choosing-a-policy.md").read_text(encoding="utf-8")
    part = page.split(f"## `{kind}`\n")[1].split("\n## ")[0]
    assert KINDS[kind] in part
    rows = [line for line in part.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{one.policy}` | {one.why} | `{one.options}` |" for one in ADVICE[kind]]


def quoted() -> list[str]:
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    return re.findall(r"^### (.+)$", page, re.MULTILINE)


def said() -> Iterator[str]:
    """Each text of the code, with gaps where it is filled in."""
    for room in ("dag/interpreter", "workers", "service"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value
                elif isinstance(node, ast.JoinedStr):
                    parts = (part.value if isinstance(part, ast.Constant) else GAP for part in node.values)
                    yield "".join(map(str, parts))


def test_each_message_of_the_page_is_in_the_code() -> None:
    texts = [" ".join(text.split()) for text in said()]
    unknown = [message for message in quoted() if not any(message in text for text in texts)]
    assert not unknown, "write them as the code says them, with … where it fills something in"
    assert len(quoted()) > 20
    assert all(len(message.replace(GAP, "").strip()) > 6 for message in quoted()), "a quote of nothing"
