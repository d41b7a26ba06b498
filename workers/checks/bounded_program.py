"""Decides one check after the other, each within its limits: the program inside `bounded.py`.

Nothing else of Anabranch is imported here. Requests and replies are lines of JSON. A check that takes more processor
time or memory than it may ends this process: the kernel sees to that, whatever code is running.
"""

import json
import math
import re
import resource
import select
import sys
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

MEMORY = 1 << 30
"""Bytes of address space; sympy and what it needs take a quarter of it."""
IDLE_SECONDS = 60
"""After so long without a request this program ends; the next check starts another."""
WORDS = 1_000
"""Characters of a reason: a reply goes through the pipe in one piece."""

PASSED_OVER = re.compile(
    r"['\"`\u00a7#]|[0-9)]\s?_|[0-9.]\s?\\(?:overline|bar|dot|ddot)|\\p?mod|\\equiv|[0-9]\.[0-9]+\."
)
"""What the parser of formulas leaves out, and reads the rest."""

Request = Mapping[str, Any]
Reply = tuple[bool, str]


def main() -> None:
    """Serve until standard input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while select.select([sys.stdin], [], [], IDLE_SECONDS)[0] and (line := sys.stdin.buffer.readline()):
        request = json.loads(line)
        check = CHECKS[request["check"]]()
        _tell({"ready": True})
        used = math.ceil(time.process_time()) + request["seconds"]
        resource.setrlimit(resource.RLIMIT_CPU, (used, resource.RLIM_INFINITY))
        try:
            passes, why = check(request)
        except MemoryError:
            return
        except Exception as error:  # noqa: BLE001 - of a pattern or a schema that cannot be used: its author reads why
            _tell({"unusable": str(error)[:WORDS]})
        else:
            _tell({"passes": passes, "why": why[:WORDS]})


def _tell(reply: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(reply) + "\n")
    sys.stdout.flush()


def _equal() -> Callable[[Request], Reply]:
    """Whether two expressions are equal by algebra, in either direction.

    An expression is read whole or not at all: what the parser would pass over (a prime, the base of a numeral, a mark
    that it does not know) tells two answers apart, so such an expression is equal to none that is written otherwise.
    """
    from math_verify import LatexExtractionConfig, parse, verify

    @lru_cache(maxsize=256)
    def read(answer: str) -> Any:
        if PASSED_OVER.search(answer):
            return []
        return parse(f"${answer}$", extraction_config=[LatexExtractionConfig()], parsing_timeout=None)

    def equal(request: Request) -> Reply:
        left, right = read(request["left"]), read(request["right"])
        return bool(
            verify(left, right, timeout_seconds=None) or verify(right, left, timeout_seconds=None)
        ), ""

    return equal


def _pattern() -> Callable[[Request], Reply]:
    """Whether a pattern is found anywhere in a value."""
    return lambda request: (re.search(request["pattern"], request["value"]) is not None, "")


def _schema() -> Callable[[Request], Reply]:
    """Whether an instance fits a JSON schema; references out of the schema are not followed."""
    import jsonschema
    import referencing
    import referencing.exceptions

    def fits(request: Request) -> Reply:
        schema = request["schema"]
        checker = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
        checker.check_schema(schema)
        try:
            fault = next(
                checker(schema, registry=referencing.Registry()).iter_errors(request["instance"]), None
            )
        except referencing.exceptions.Unresolvable as error:
            raise ValueError(f"its schema refers to {error.ref!r}, which is not in it") from error
        return fault is None, fault.message if fault else ""

    return fits


CHECKS: Mapping[str, Callable[[], Callable[[Request], Reply]]] = {
    "equal": lru_cache(maxsize=1)(_equal),
    "pattern": _pattern,
    "schema": _schema,
}
"""By name: what imports all that the check needs, and gives it. Only the check itself counts against its time."""


if __name__ == "__main__":
    main()
