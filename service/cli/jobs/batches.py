"""Implements the command about batches: submit a file of lines, follow it, write what came of them."""

import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from anabranch.client import Batch, Client
from anabranch.service.cli.connect import running
from anabranch.service.cli.output import AsJson, results, tell_json
from anabranch.service.cli.writing import replacing

LOOK_SECONDS = 0.5
ID_PREFIX = "batch_"


def batch(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Lines of JSON, a job each; - for stdin; or a batch's id.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where results go.  [default: stdout]"),
    ] = None,
    window: Annotated[
        str, typer.Option(help="Lines without an answer by then have none: 30m, 24h, 7d.")
    ] = "24h",
    key: Annotated[
        str | None, typer.Option(help="The same key and file again are the same batch.", metavar="KEY")
    ] = None,
    cancel: Annotated[bool, typer.Option("--cancel", help="Stop the batch of this id.")] = False,
    as_json: AsJson = False,
) -> int:
    """Submit a file of jobs, follow them behind all other jobs, and write the results in the order of the file.

    A line is a job as POST /v1/jobs takes it, or a request of OpenAI's Batch API. Interrupted, the batch goes on:
    give its id in place of the file. The results are one line each; with --json, the batch itself is told instead.
    """
    with nullcontext() if output is None else replacing(output) as part, running() as client:
        made = _find(client, file, window, key, cancel=cancel)
        print(f"batch {made.id}: {made.request_counts.total} lines", file=sys.stderr, flush=True)
        ended = _follow(client, made)
        if as_json:
            tell_json(ended.model_dump(mode="json"))
        if part is not None or not as_json:
            _write(client, ended, part)
    counts = ended.request_counts
    print(f"{ended.status}: {counts.completed} answered, {counts.failed} failed", file=sys.stderr, flush=True)
    return 0 if counts.completed == counts.total else 1


def _find(client: Client, file: str, window: str, key: str | None, *, cancel: bool) -> Batch:
    if file.startswith(ID_PREFIX):
        return client.cancel_batch(file) if cancel else client.batch(file)
    if cancel:
        raise typer.BadParameter("--cancel needs a batch's id, such as batch_0190…, in place of the file")
    try:
        lines = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"cannot read {file}: {error.strerror}") from error
    return client.submit_batch(lines, window=window, idempotency_key=key)


def _follow(client: Client, batch: Batch) -> Batch:
    columns = (TextColumn("lines"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("lines", total=batch.request_counts.total)
        while not batch.ended:
            bar.update(task, completed=batch.request_counts.completed + batch.request_counts.failed)
            time.sleep(LOOK_SECONDS)
            batch = client.batch(batch.id)
    return batch


def _write(client: Client, batch: Batch, part: Path | None) -> None:
    if part is None:
        for piece in client.batch_results(batch.id):
            results().write(piece)
        results().flush()
        return
    with part.open("w", encoding="utf-8") as file:
        file.writelines(client.batch_results(batch.id))
