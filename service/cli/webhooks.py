"""Implements `anabranch webhooks`: where the service calls when something becomes of jobs and batches."""

from typing import Annotated

import typer

from anabranch.client import Endpoint
from anabranch.service.cli.connect import reading
from anabranch.service.cli.keys import read_span
from anabranch.service.cli.output import AsJson, tell, tell_json, tell_table

app = typer.Typer(help="Where jobs and batches are told of.", no_args_is_help=True, rich_markup_mode=None)
Named = Annotated[str, typer.Argument(metavar="ID", help="As `anabranch webhooks list` shows it.")]


@app.callback()
def webhooks() -> None:
    """Where jobs and batches are told of."""


@app.command()
def new(
    url: Annotated[str, typer.Argument(help="https://…, and public, unless the operator allows others.")],
    event: Annotated[
        list[str] | None,
        typer.Option(help="Of what it hears, such as job.failed; may be repeated.  [default: all]"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make an endpoint, and tell its id and its secret this once."""
    with reading() as client:
        _tell_secret(client.add_webhook(url, events=event or ()), as_json=as_json)


@app.command(name="list")
def list_endpoints(as_json: AsJson = False) -> None:
    """Show the endpoints there are, without their secrets."""
    with reading() as client:
        found = client.webhooks()
    if as_json:
        tell_json([_shown(one) for one in found])
        return
    rows = (
        (one.id, one.disabled_because or one.status, " ".join(one.events) or "all", one.url) for one in found
    )
    tell_table(("ID", "STATUS", "EVENTS", "URL"), rows)


@app.command(name="test")
def call(name: Named, as_json: AsJson = False) -> int:
    """Call an endpoint now, once, with a `webhook.test`, and tell what came of it."""
    with reading() as client:
        attempt = client.test_webhook(name)
    if as_json:
        tell_json(attempt.model_dump(mode="json"))
    elif attempt.error is None:
        tell(f"it answered {attempt.status} after {attempt.seconds:.2f} s")
    else:
        tell(f"not delivered: {attempt.error}")
    return 0 if attempt.error is None else 1


@app.command()
def rotate(
    name: Named,
    grace: Annotated[float, typer.Option(
        parser=read_span, metavar="SPAN", help="How long the old secret signs, too, such as 24h; 0: not at all.")],
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Replace an endpoint's secret, and tell the new one this once."""
    with reading() as client:
        _tell_secret(client.rotate_webhook(name, overlap_seconds=grace), as_json=as_json)


@app.command()
def enable(name: Named, as_json: AsJson = False) -> None:
    """Let an endpoint that was disabled hear of what happens from now on."""
    with reading() as client:
        endpoint = client.enable_webhook(name)
    if as_json:
        tell_json(_shown(endpoint))
    else:
        tell(f"{endpoint.id} is {endpoint.status}")


def _tell_secret(endpoint: Endpoint, *, as_json: bool) -> None:
    if as_json:
        tell_json(_shown(endpoint))
    else:
        tell(f"{endpoint.id} {endpoint.secret}")


def _shown(endpoint: Endpoint) -> dict[str, object]:
    return endpoint.model_dump(mode="json", exclude_none=True)
