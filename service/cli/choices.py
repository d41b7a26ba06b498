"""Says which values an option may have: in its help, in the shell's completion, and in its errors."""

import pkgutil
from enum import StrEnum
from typing import Annotated

import typer

from anabranch.dag import policies
from anabranch.service.exports.registry import export_formats
from anabranch.workers.engines.factory import ENGINES

EngineName = StrEnum("EngineName", {name.upper(): name for name in ENGINES})  # type: ignore[misc]
FormatName = StrEnum("FormatName", {name.upper(): name for name in export_formats()})  # type: ignore[misc]

SHOWN_JOBS = 50
"""The newest ones are completed."""


def own_policies() -> list[str]:
    """The names of Anabranch's own policies, without loading them: each is a file."""
    found = pkgutil.iter_modules(policies.__path__)
    return sorted(module.name.replace("_", "-") for module in found if not module.ispkg)


def complete_policy(begun: str) -> list[str]:
    """All policies that begin so, those of installed packages too."""
    from anabranch.dag.policy import catalogue

    return sorted(name for name in catalogue() if name.startswith(begun))


def complete_job(begun: str) -> list[tuple[str, str]]:
    """The newest jobs whose ids begin so, with their questions; none where no service runs. What is wrong then is said
    by the command, not in the midst of typing it."""
    from anabranch.client import Client, ClientError
    from anabranch.service.cli.connect import key_of, lasting_address
    from anabranch.service.cli.errors import CannotStart
    from anabranch.service.settings import BadSettings, read_settings

    try:
        settings = read_settings()
        address = lasting_address(settings)
        if address is None:
            return []
        with Client(address, key=key_of(settings), retry_seconds=0) as client:
            jobs = list(client.list(limit=SHOWN_JOBS))
    except (BadSettings, CannotStart, ClientError):
        return []
    return [(job.id, " ".join(job.question.split())[:60]) for job in jobs if job.id.startswith(begun)]


JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.", autocompletion=complete_job)]
PolicyOption = Annotated[
    str | None,
    typer.Option(
        help=f"One of {', '.join(own_policies())}, or of an installed package; `anabranch policies` tells "
        "what each is for.  [default: the service's, plan]",
        autocompletion=complete_policy,
    ),
]
