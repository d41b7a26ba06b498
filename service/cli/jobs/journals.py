"""Implements the commands about a job's journal: audit, replay."""

from pathlib import Path
from typing import Annotated, Any

import typer

from anabranch.client import Audit, Client
from anabranch.dag.errors import Diverged
from anabranch.dag.journal.replay import replay as replayed
from anabranch.service.cli.choices import JobArgument
from anabranch.service.cli.connect import job_link, reading
from anabranch.service.cli.output import AsJson, tell, tell_json
from anabranch.service.cli.texts import read_text
from anabranch.service.policies import load_policies
from anabranch.service.settings import read_settings
from anabranch.service.wire import record_of


def audit(job: JobArgument, as_json: AsJson = False) -> None:
    """Verify that the journal is as it was written, and that the tables say what it says. Exit 1 where not."""
    with reading() as client:
        found = client.audit(job)
    if as_json:
        tell_json(found.as_json())
    else:
        tell(f"{job}: {_verdict(found)}")
    raise typer.Exit(0 if found.ok else 1)


def replay(
    job: JobArgument,
    branch: Annotated[str | None, typer.Option(help="The branch whose output is edited.")] = None,
    edit: Annotated[Path | None, typer.Option(help="File of its new output.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run the policy against its journal, and tell where it would now act differently (exit 1).

    With --branch and --edit: submit a new job in which that branch returned something else.
    """
    if (branch is None) != (edit is None):
        raise typer.BadParameter("--branch and --edit go together")
    with reading() as client:
        if branch is not None and edit is not None:
            _rerun(client, job, branch, read_text(edit), as_json)
        else:
            _compare(client, job, as_json)


def _verdict(found: Audit) -> str:
    if found.broken:
        return f"broken at seq {found.broken.seq}: {found.broken.reason}"
    if found.differences:
        first = found.differences[0]
        where = f"{first.table} {'/'.join(first.key)} {first.column}".strip()
        told = f"{where} holds {first.stored}, the journal gives {first.folded}"
        return f"{told}; mend it with `anabranch db rebuild-projections`"
    return f"sound, {found.events} events, head {found.head_hash[:16]}"


def _rerun(client: Client, job: str, branch: str, output: str, as_json: bool) -> None:
    made = client.replay(job, branch=branch, output=output)
    if as_json:
        tell_json(made.as_json())
    else:
        tell(f"{made.id}\n{job_link(made.id)}")


def _compare(client: Client, job: str, as_json: bool) -> None:
    load_policies(read_settings().policy_modules)
    records = [record_of(event.as_json()) for event in client.events(job)]
    try:
        replayed(records)
    except Diverged as error:
        _tell_compared(job, {"job": job, "same": False, "seq": error.seq, "detail": str(error)}, as_json)
        raise typer.Exit(1) from error
    _tell_compared(job, {"job": job, "same": True, "events": len(records)}, as_json)


def _tell_compared(job: str, told: dict[str, Any], as_json: bool) -> None:
    if as_json:
        tell_json(told)
    else:
        same = f"the policy leads to the same {told.get('events')} events"
        tell(f"{job}: {same if told['same'] else 'diverged ' + told['detail']}")
