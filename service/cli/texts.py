"""Reads the texts that a command is given: as an argument, from a file, from standard input."""

import sys
from pathlib import Path

import typer

STANDARD_INPUT = "-"


def read_question(given: str | None, file: Path | None) -> str:
    """The question; `-` reads standard input. Raises typer.BadParameter where there is none, or more than one."""
    if (given is None) == (file is None):
        raise typer.BadParameter(
            "give one question: as an argument, by --file FILE, or by - for standard input"
        )
    if given is not None and given != STANDARD_INPUT:
        said = given
    else:
        said = (_read_standard_input() if file is None else read_text(file)).strip("\n")
    if not said.strip():
        raise typer.BadParameter("the question is empty")
    return said


def read_text(file: Path) -> str:
    """A file's text. Raises typer.BadParameter for one that is no UTF-8, or cannot be read."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise typer.BadParameter(
            f"{file} is no text in UTF-8 ({error.reason} at byte {error.start})"
        ) from error
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}") from error


def read_lines(file: Path) -> list[str]:
    """A file's lines, of JSON for example. Raises typer.BadParameter as `read_text`."""
    lines = read_text(file).split("\n")  # other line ends, such as U+2028, may stand in texts
    return lines if lines[-1] else lines[:-1]


def _read_standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"standard input is no text in UTF-8 ({error.reason})") from error
