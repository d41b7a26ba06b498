"""Writes files that a command is given by name: refused before the work begins, and whole or not at all."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Gives another file, FILE.part, which takes this one's place once the block has ended well. What is no plain file,
    such as a pipe, is itself written to. Raises OSError, before the block, where nothing can be written."""
    if file.exists() and not file.is_file():
        if file.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
        yield file
        return
    place = file.resolve()  # what a link leads to is replaced, never the link
    part = place.with_name(f"{place.name}.part")
    try:
        part.open("wb").close()
    except OSError as error:
        error.filename = str(file)
        raise
    try:
        yield part
        part.replace(place)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def check_writable(file: Path) -> None:
    """Raises OSError where nothing can be written to this file, which is left as it is."""
    is_new = not file.exists()
    file.open("ab").close()
    if is_new:
        file.unlink()
