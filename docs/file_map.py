"""Writes the end of docs/architecture.md: every event with what it asks of a job, and every source file."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "architecture.md"
MARK = "<!-- everything below is written by docs/file_map.py -->\n"
ROOMS = ("dag", "workers", "service", "migrations")


def first_sentence(node: ast.Module | ast.ClassDef) -> str:
    """The first sentence of a docstring, on one line."""
    text = ast.get_docstring(node) or ""
    paragraph = " ".join(text.split("\n\n")[0].split())
    sentence, stop, _ = paragraph.partition(". ")
    return sentence + ("." if stop else "")


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def events() -> str:
    """A line per event: what it is, and what the transition table demands before it may happen."""
    classes = {
        node.name: node for node in parsed(ROOT / "dag/events.py").body if isinstance(node, ast.ClassDef)
    }
    table = parsed(ROOT / "dag/state.py")
    demands = {node.name: list(demanded(node)) for node in table.body if isinstance(node, ast.FunctionDef)}
    lines = ["", "## Every event", "", "| event | is | may happen only if |", "|---|---|---|"]
    for event, row in rows(table):
        needed = "; ".join(dict.fromkeys(demands[row]))
        lines.append(
            f"| `{event}` | {' '.join(doc_of(classes[event]).split())} | {needed} |".replace("||", "| |")
        )
    return "\n".join(lines) + "\n"


def doc_of(node: ast.ClassDef) -> str:
    return (ast.get_docstring(node) or "").replace("|", "/")


def rows(table: ast.Module) -> Iterator[tuple[str, str]]:
    """The transition table: each event's name, and the function that judges it."""
    [found] = [
        node.value
        for node in table.body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and node.target.id == "_TABLE"
    ]
    assert isinstance(found, ast.Dict)
    for key, value in zip(found.keys, found.values, strict=True):
        assert isinstance(key, ast.Attribute) and isinstance(value, ast.Name)
        yield key.attr, value.id


def demanded(function: ast.FunctionDef) -> Iterator[str]:
    """The conditions that a function of the table demands, as the code has them."""
    for node in ast.walk(function):
        match node:
            case ast.Call(func=ast.Name(id="_demand"), args=[condition, *_]):
                yield f"`{ast.unparse(condition)}`".replace("|", "or")
            case ast.Call(func=ast.Name(id="_demand_branches"), args=[_, _, named]):
                yield f"`{ast.unparse(named)}` all exist"
            case ast.Call(func=ast.Name(id="_demand_over")):
                yield "`not state.live`; `not state.open_segments`"
            case _:
                pass


def file_map() -> str:
    """A heading per folder, a line per file."""
    lines = ["", "## Every file"]
    for room in ROOMS:
        for folder in sorted({path.parent for path in (ROOT / room).rglob("*.py")}):
            if "node_modules" in folder.parts:
                continue
            told = {path: first_sentence(parsed(path)) for path in sorted(folder.glob("*.py"))}
            if any(told.values()):
                lines += [
                    "",
                    f"### `{folder.relative_to(ROOT)}/`",
                    "",
                    "| file | what it does |",
                    "|---|---|",
                ]
                lines += [
                    f"| `{path.name}` | {text.replace('|', '/')} |" for path, text in told.items() if text
                ]
    return "\n".join(lines) + "\n"


def page() -> str:
    """The page as it should be."""
    kept, _, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    return kept + MARK + events() + file_map()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
