"""Prints what a release wants installed with it, one requirement a line, without Anabranch itself.

    python3 deploy/dependencies.py cpu,postgres

An image installs these in a layer of their own: a release that changes no dependency changes a few megabytes of it.
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


def dependencies(project: Mapping[str, Any], extras: Iterable[str]) -> list[str]:
    """The project's requirements and those of its extras; an extra that names another one has that one's, too.

    Raises KeyError for an extra that there is not.
    """
    named = re.compile(rf"{re.escape(project['name'])}\[(?P<extras>[^\]]+)\]")
    wanted = list(project["dependencies"])
    for extra in extras:
        for requirement in project["optional-dependencies"][extra]:
            inner = named.fullmatch(requirement)
            wanted += (
                dependencies({**project, "dependencies": []}, inner["extras"].split(","))
                if inner
                else [requirement]
            )
    return list(dict.fromkeys(wanted))


if __name__ == "__main__":
    asked = [extra for extra in "".join(sys.argv[1:]).split(",") if extra]
    sys.stdout.write(
        "\n".join(dependencies(tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"], asked)) + "\n"
    )
