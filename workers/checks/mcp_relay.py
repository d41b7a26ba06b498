"""Starts an MCP server, passes on what it says, and ends it when that is more than it may: the program between.

Nothing of Anabranch is imported here. Its arguments are how many bytes, and the server's command; the server reads the
standard input of this program itself.
"""

import os
import subprocess
import sys

PIECE = 65_536


def main(left: int, command: list[str]) -> None:
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:  # noqa: S603 - the operator's
        assert server.stdout is not None  # it is a pipe
        said = server.stdout.fileno()
        while left > 0 and (piece := os.read(said, PIECE)):
            left -= len(piece)
            _write(piece)
        server.kill()


def _write(piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(1, rest) :]


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
