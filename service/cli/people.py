"""Implements the commands for people's part: deciding at gates, and choosing a policy."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from anabranch.client import Client
from anabranch.service.cli.connect import reading
from anabranch.service.cli.jobs import JobArgument
from anabranch.service.cli.output import AsJson, tell, tell_json, tell_table


def approve(
    job: JobArgument,
    approval: Annotated[str, typer.Argument(help="The approval's id, or its number within the job.")],
    edit: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Approve this text instead.")
    ] = None,
    reject: Annotated[bool, typer.Option("--reject", help="Say no.")] = False,
    reason: Annotated[str, typer.Option(help="Why; kept in the journal.")] = "",
    as_json: AsJson = False,
) -> None:
    """Decide at a gate where a job waits for a person."""
    if edit is not None and reject:
        raise typer.BadParameter("give either --edit or --reject")
    decision: Literal["approve", "edit", "reject"] = "reject" if reject else "edit" if edit else "approve"
    text = edit.read_text(encoding="utf-8") if edit else None
    with reading() as client:
        decided = client.decide(_approval_id(client, job, approval), decision, edit=text, reason=reason)
    if as_json:
        tell_json(decided.as_json())
    else:
        tell(f"{job}: {decided.gate} decided: {decided.decision}")


def policies(as_json: AsJson = False) -> None:
    """List the policies: what each is for, and which parameters it takes."""
    with reading() as client:
        found = client.policies()
    if as_json:
        tell_json([one.as_json() for one in found])
    else:
        rows = ((one.name, one.use_when, _params(one.params), one.paper) for one in found)
        tell_table(("policy", "use when", "parameters", "source"), rows)


def _approval_id(client: Client, job: str, named: str) -> str:
    if not named.isdecimal():
        return named
    for waiting in client.approvals():
        if waiting.job == job and str(waiting.approval) == named:
            return waiting.id
    raise typer.BadParameter(f"job {job} waits at no gate {named}")


def _params(schema: dict[str, Any]) -> str:
    return " ".join(f"{name}={told.get('default')}" for name, told in schema.get("properties", {}).items())
