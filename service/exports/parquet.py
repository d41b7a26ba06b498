"""Writes lines of samples as Parquet, a row for each."""

import json
from collections.abc import Iterable
from pathlib import Path


class NoParquet(Exception):
    """The file cannot be written; the message says why, and what to do."""


def write_parquet(pieces: Iterable[str], file: Path) -> None:
    """One row for each line. Raises NoParquet where the extra is missing, or where the lines have no common form."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError as missing:
        raise NoParquet("Parquet needs pyarrow: pip install 'anabranch[train]'") from missing
    rows = [json.loads(line) for line in "".join(pieces).split("\n") if line]
    try:
        pq.write_table(pa.Table.from_pylist(rows), file)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise NoParquet(
            f"these lines have no common form ({error}); export raw jobs, whose prompts are texts, apart"
        ) from error
