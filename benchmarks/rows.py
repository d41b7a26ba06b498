"""Gathers what benchmarks of one run measured, and prints it as one table: each figure beside its floor and its peers.

A row is a measure, who it was measured of, and a figure; scripts append rows to the file that `--rows` names.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

OURS = "Anabranch, SQLite"
"""Whose figure the others' are told beside."""


def append(path: str | None, measure: str, figures: Mapping[str, float]) -> None:
    """Adds one measure's figures, by who they are of; nothing where no file is named."""
    if path is not None:
        with Path(path).open("a") as file:
            for who, figure in figures.items():
                print(json.dumps({"measure": measure, "who": who, "figure": figure}), file=file)


def table(lines: Iterable[str]) -> str:
    """The rows as one table, and behind each figure how many of ours it is."""
    rows = [json.loads(line) for line in lines]
    measures: dict[str, dict[str, float]] = {}
    for row in rows:
        measures.setdefault(row["measure"], {})[row["who"]] = row["figure"]
    everybody = list(dict.fromkeys(row["who"] for row in rows))
    width = max(len(name) for name in [*everybody, ""])
    told = []
    for measure, figures in measures.items():
        told.append(f"\n{measure}")
        ours = figures.get(OURS)
        for who in everybody:
            if who in figures:
                ratio = f"{figures[who] / ours:8.2f} of ours" if ours else ""
                told.append(f"  {who:{width}}{figures[who]:12.2f}{ratio}")
    return "\n".join(told)
