"""Implements `anabranch policies`: which there are, what one takes, and which to take."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from anabranch.client import PolicyInfo
from anabranch.service.cli.choices import complete_policy
from anabranch.service.cli.choosing import ADVICE, KINDS, Kind
from anabranch.service.cli.connect import reading
from anabranch.service.cli.output import AsJson, console, printable, tell, tell_json

DEFAULT_WIDTH = 40
"""Characters that are shown of a parameter's default; prompts are longer."""


def policies(
    name: Annotated[
        str | None, typer.Argument(help="Tell all about this one.", autocompletion=complete_policy)
    ] = None,
    kind: Annotated[
        Kind | None, typer.Option("--for", help="Recommend some for such questions, with the reasons.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the policies, tell all about one, or recommend some."""
    if kind is not None:
        if name is not None:
            raise typer.BadParameter("give a policy or --for, not both")
        _recommend(kind, as_json)
        return
    with reading() as client:
        found = client.policies()
    if name is not None:
        found = tuple(one for one in found if one.name == name) or _unknown(name, found)
    if as_json:
        tell_json([one.as_json() for one in found])
    elif name is not None:
        _describe(found[0])
    else:
        console().print(table((one.name, one.use_when) for one in found))
        tell(
            "\n`anabranch policies NAME` tells its parameters, `anabranch policies --for math` what to take."
        )


def table(rows: Any) -> Table:
    """Two columns, of which the second is wrapped: it fits any terminal."""
    drawn = Table(box=None, pad_edge=False, show_header=False)
    drawn.add_column(no_wrap=True, style="bold")
    drawn.add_column(overflow="fold")
    for first, second in rows:
        drawn.add_row(Text(printable(first)), Text("\n".join(map(printable, second.splitlines()))))
    return drawn


def _recommend(kind: Kind, as_json: bool) -> None:
    """Needs no service: what is recommended stands in the code."""
    if as_json:
        tell_json([{"policy": one.policy, "set": one.set, "why": one.why} for one in ADVICE[kind]])
        return
    tell(KINDS[kind])
    for one in ADVICE[kind]:
        tell(f"  {one.policy:<22} {one.why}")
    tell(f"Begin with: anabranch run QUESTION {ADVICE[kind][0].options}")


def _unknown(name: str, found: Sequence[PolicyInfo]) -> tuple[PolicyInfo, ...]:
    raise typer.BadParameter(
        f"there is no policy {name!r}; there are: {', '.join(one.name for one in found)}"
    )


def _describe(policy: PolicyInfo) -> None:
    tell(f"{printable(policy.name)}: {printable(policy.title)}")
    tell("\n".join(map(printable, policy.use_when.splitlines())))
    tell(f"Source: {printable(policy.paper)}\n")
    parameters: dict[str, Any] = policy.params.get("properties", {})
    out = console()
    out.print(table((name, _meaning(told)) for name, told in parameters.items()))
    out.print(table((f"preset={name}", preset.about) for name, preset in policy.presets.items()))


def _meaning(told: dict[str, Any]) -> str:
    """What a parameter is for, its choices, and the beginning of its default."""
    choices = ", ".join(map(str, told.get("enum", ())))
    default = " ".join(json.dumps(told.get("default"), ensure_ascii=False).split())
    parts = (str(told.get("description", "")), choices and f"one of {choices}", f"default {_begin(default)}")
    return "; ".join(part for part in parts if part)


def _begin(text: str) -> str:
    return text if len(text) <= DEFAULT_WIDTH else text[: DEFAULT_WIDTH - 1] + "…"
