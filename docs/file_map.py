"""Writes the last section of docs/architecture.md: every source file, with the first sentence it says about itself."""

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "architecture.md"
MARK = "<!-- everything below is written by docs/file_map.py -->\n"
ROOMS = ("dag", "workers", "service", "migrations")


def first_sentence(path: Path) -> str:
    """The first sentence of a module's docstring, on one line."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    paragraph = " ".join(text.split("\n\n")[0].split())
    sentence, stop, _ = paragraph.partition(". ")
    return sentence + ("." if stop else "")


def file_map() -> str:
    """A heading per folder, a line per file."""
    lines: list[str] = []
    for room in ROOMS:
        for folder in sorted({path.parent for path in (ROOT / room).rglob("*.py")}):
            files = sorted(path for path in folder.glob("*.py") if first_sentence(path))
            if files and "node_modules" not in folder.parts:
                lines += ["", f"### `{folder.relative_to(ROOT)}/`", "", "| file | what it is |", "|---|---|"]
                lines += [f"| `{path.name}` | {first_sentence(path).replace('|', '/')} |" for path in files]
    return "\n".join(lines) + "\n"


def page() -> str:
    """The page as it should be."""
    kept, _, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    return kept + MARK + file_map()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
