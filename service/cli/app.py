"""Gathers all commands, and rules how each of them ends: 0 done, 1 it failed, 2 it was asked for wrongly."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.exceptions import TyperException

from anabranch.client import ClientError, ServiceRefused
from anabranch.service.bounded_json import BadJson
from anabranch.service.cli import database, keys, policies, webhooks
from anabranch.service.cli.demo.command import demo
from anabranch.service.cli.errors import CannotStart
from anabranch.service.cli.evaluation import commands as evaluations
from anabranch.service.cli.jobs import approving, batches, exporting, journals
from anabranch.service.cli.jobs import commands as jobs
from anabranch.service.cli.output import tell
from anabranch.service.cli.running import api, mcp, up
from anabranch.service.cli.simulation.commands import app as simulate
from anabranch.service.cli.streams import ready_streams
from anabranch.service.evaluation.errors import BadTasks, GraderFailed
from anabranch.service.settings import BadSettings
from anabranch.service.simulation.reading import BadDescription
from anabranch.service.store.errors import StoreError
from anabranch.service.store.keys import BadKey
from anabranch.service.tenants.file import BadTenants

BAD_USAGE = 2
REFUSED_AS_WRONG = {400, 413, 415, 422}


def _tell_version(asked: bool) -> None:
    if asked:
        from anabranch.service.store.sql.revisions import release

        tell(f"anabranch {release()}")
        raise typer.Exit


app = typer.Typer(
    name="anabranch",
    help="Reasoning jobs as durable fork-join DAGs on a pool of vLLM replicas.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def anabranch(
    version: Annotated[
        bool,
        typer.Option("--version", help="Tell the release, and leave.", callback=_tell_version, is_eager=True),
    ] = False,
) -> None:
    """Reasoning jobs as durable fork-join DAGs on a pool of vLLM replicas."""


app.command()(up.up)
app.command()(demo)
app.command()(api.api)
app.command()(jobs.run)
app.command(name="jobs")(jobs.list_jobs)
app.command()(jobs.show)
app.command()(jobs.watch)
app.command()(jobs.cancel)
app.command()(approving.approve)
app.command()(policies.policies)
app.command()(journals.audit)
app.command()(journals.replay)
app.command()(exporting.export)
app.command()(batches.batch)
app.command(name="eval")(evaluations.evaluate)
app.command()(evaluations.evaluations)
app.command()(mcp.mcp)
app.add_typer(database.app, name="db")
app.add_typer(keys.app, name="keys")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(simulate, name="simulate")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave the process. Errors are one line on stderr: what happened, what to do."""
    ready_streams()
    asked = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        code = app(args=asked, prog_name="anabranch", standalone_mode=False)
    except TyperException as error:
        told = error.format_message().replace("Value error, ", "")
        _leave(f"{told} (anabranch {asked[0]} --help)", BAD_USAGE)
    except (BadDescription, BadKey, BadSettings, BadTenants, BadTasks) as error:
        _leave(str(error), BAD_USAGE)
    except BadJson as error:
        _leave(f"{error.where or 'the request'}: {error}", BAD_USAGE)
    except ServiceRefused as error:
        _leave(str(error), BAD_USAGE if error.status in REFUSED_AS_WRONG else 1)
    except (CannotStart, ClientError, GraderFailed, StoreError) as error:
        _leave(str(error), 1)
    except (KeyboardInterrupt, BrokenPipeError):
        _leave("stopped", 1)
    except OSError as error:
        _leave(_in_words(error), 1)
    sys.exit(code if isinstance(code, int) else 0)


def _in_words(error: OSError) -> str:
    """What the system refused, and of which file."""
    if error.filename is None:
        return f"the system refused: {error.strerror or error}"
    return f"{error.filename}: {error.strerror}; name a place that can be read and written"


def _leave(message: str, code: int) -> None:
    print(f"anabranch: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)
