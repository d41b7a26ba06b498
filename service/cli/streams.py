"""Readies standard input, output and error, whatever a command was started with."""

import codecs
import io
import json
import os
import sys
from pathlib import Path

ESCAPED = "anabranch.escaped"


def ready_streams() -> None:
    """Makes each of them one that can be used.

    One that was closed is the null device from now on: else the next file that is opened, the database perhaps, would
    be in its place. A letter that the encoding of standard output lacks is written as JSON writes it: JSON stays JSON.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - for as long as the process lives
            setattr(sys, name, nowhere)
            setattr(sys, f"__{name}__", nowhere)
    codecs.register_error(ESCAPED, _escape)
    for out in (sys.stdout, sys.__stdout__):
        if isinstance(out, io.TextIOWrapper):
            out.reconfigure(errors=ESCAPED)


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end
