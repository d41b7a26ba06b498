"""Implements `anabranch approve`: a person decides at a gate."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from anabranch.client import Client
from anabranch.service.cli.choices import JobArgument
from anabranch.service.cli.connect import reading
from anabranch.service.cli.output import AsJson, tell, tell_json
from anabranch.service.cli.texts import read_text


def approve(
    job: JobArgument,
    approval: Annotated[str, typer.Argument(help="The approval's id, or its number within the job.")],
    edit: Annotated[Path | None, typer.Option(help="Approve the text of this file instead.")] = None,
    reject: Annotated[bool, typer.Option("--reject", help="Say no.")] = False,
    reason: Annotated[str, typer.Option(help="Why; kept in the journal.")] = "",
    as_json: AsJson = False,
) -> None:
    """Decide at a gate where a job waits for a person."""
    if edit is not None and reject:
        raise typer.BadParameter("give either --edit or --reject")
    decision: Literal["approve", "edit", "reject"] = "reject" if reject else "edit" if edit else "approve"
    text = read_text(edit) if edit else None
    with reading() as client:
        decided = client.decide(_approval_id(client, job, approval), decision, edit=text, reason=reason)
    if as_json:
        tell_json(decided.as_json())
    else:
        tell(f"{job}: {decided.gate} decided: {decided.decision}")


def _approval_id(client: Client, job: str, named: str) -> str:
    if not named.isdecimal():
        return named
    for waiting in client.approvals():
        if waiting.job == job and str(waiting.approval) == named:
            return waiting.id
    raise typer.BadParameter(f"job {job} waits at no gate {named}")
