"""Reads the URL of a PostgreSQL as libpq does, whose words its query may hold: psql and pg_dump take the same URL.

What is wrong is told without what may be a part of a password.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

_CUT_WRONG = (
    "there is no host or no port where one should be: use postgresql://USER:PASSWORD@HOST:PORT/NAME, "
    "with each / # ? @ of a password as %2F %23 %3F %40"
)

_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_SERVERS = ("any", "primary", "standby", "read-write", "read-only", "prefer-standby")
_CHOICES = {"sslmode": _MODES, "ssl": _MODES, "target_session_attrs": _SERVERS}
_PORTS = re.compile(r"\d{1,5}(,\d{1,5})*")
_AT_LEAST = {"connect_timeout": 1, "prepared_statement_cache_size": 0}
_NUMBER = re.compile(r"\d{1,9}")
_FILES = ("sslrootcert", "sslcert", "sslkey", "passfile")

_READ_BY_ASYNCPG = (*_FILES, "sslmode", "sslpassword", "target_session_attrs")
"""It makes of them what libpq does, where they stand in a DSN."""
_OF_THE_SERVER = ("application_name", "options")
TRANSLATED = (*_READ_BY_ASYNCPG, *_OF_THE_SERVER, "connect_timeout", "ssl")
"""Words that SQLAlchemy is not to see: it hands them on, by names that asyncpg does not have."""
_WORDS = {*TRANSLATED, "host", "port", "user", "password", "prepared_statement_cache_size"}


def check_postgres_url(url: str) -> None:
    """Raises ValueError, in one sentence, for a URL by which nothing can be connected."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # reading it checks it
    except ValueError:
        raise ValueError(_CUT_WRONG) from None
    if "#" in url or url.count("@") != parts.netloc.count("@") or parts.netloc.count("@") > 1:
        raise ValueError(_CUT_WRONG)  # a password has cut the URL in other places than its writer thought
    words = dict(parse_qsl(parts.query))
    for name, value in words.items():
        if (fault := _fault_of(name, value)) is not None:
            raise ValueError(fault)
    mode = words.get("sslmode", words.get("ssl", ""))
    if mode.startswith("verify-") and "sslrootcert" not in words:
        raise ValueError(f"sslmode={mode} wants sslrootcert=FILE, too: the authorities that are trusted")


def check_files(words: Mapping[str, str]) -> None:
    """Raises OSError, which names it, for a file that the query of a URL names and this process cannot read."""
    for name in (each for each in _FILES if each in words):
        try:
            with Path(words[name]).open("rb"):
                continue
        except OSError as error:
            raise OSError(f"{name}: the file {words[name]} cannot be read: {error.strerror}") from error


def asyncpg_dsn(words: Mapping[str, str]) -> str:
    """What asyncpg is to be told beside SQLAlchemy's arguments, of what the query of a URL says."""
    said = {"sslmode": words["ssl"]} if "ssl" in words else {}
    said |= {name: words[name] for name in _READ_BY_ASYNCPG if name in words}
    return f"postgresql://?{urlencode(said)}"


def server_settings(words: Mapping[str, str]) -> dict[str, str]:
    """What the server is to be told when a connection begins, of what the query of a URL says."""
    return {name: words[name] for name in _OF_THE_SERVER if name in words}


def _fault_of(name: str, value: str) -> str | None:
    """Why the query may not say this."""
    if name not in _WORDS:
        return f"its query cannot ask for {name[:40]!r}, only for {', '.join(sorted(_WORDS))}"
    if name in _CHOICES and value not in _CHOICES[name]:
        return f"{name} is one of {', '.join(_CHOICES[name])}"
    if name in _AT_LEAST and not (_NUMBER.fullmatch(value) and int(value) >= _AT_LEAST[name]):
        return f"{name} is a whole number, at least {_AT_LEAST[name]}"
    if name == "port" and not _PORTS.fullmatch(value):
        return "port is a number, or one for each host: 5432,5433"
    return None
