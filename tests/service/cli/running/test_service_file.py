"""Commands find the service that runs: a file tells of it, a call proves it, and there is never a second engine."""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from anabranch.service.api.server import serve_api
from anabranch.service.cli import connect
from anabranch.service.cli.errors import AnotherServes, CannotStart
from anabranch.service.cli.running.service_file import STATE_FILE, announced, find_service, hold
from anabranch.service.settings import Settings


@pytest.fixture
def served(books: Any, settings: Settings) -> Iterator[str]:
    """A service of this state folder: the address that its file tells."""
    with hold(settings), serve_api(settings) as url, announced(settings, url):
        yield url


def stale(settings: Settings, url: str = "http://127.0.0.1:1", **fields: Any) -> Path:
    """The file of a service that was killed."""
    told = {
        "url": url,
        "pid": 1,
        "started": datetime.now(UTC).isoformat(),
        "instance": "gone",
        "database": "d",
    }
    path = settings.state / STATE_FILE
    path.write_text(json.dumps(told | fields))
    return path


def test_commands_go_to_the_service_that_runs(
    anabranch: Any, served: str, answered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "prepare_store", None)  # opening the store beside it would fail
    assert f"{served}/jobs/{answered}" in anabranch("show", answered).out
    for command in (("jobs",), ("policies",), ("audit", answered), ("cancel", answered)):
        ran = anabranch(*command)
        assert (ran.code, ran.err) == (0, ""), command


def test_run_asks_the_service_that_runs(
    anabranch: Any, served: str, organizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "instance", None)  # a second engine would fail
    ran = anabranch("run", "Why?")
    assert ran.code == 0, ran.err
    assert f"{served}/jobs/" in ran.out


def test_the_file_is_gone_when_the_service_is(books: Any, settings: Settings) -> None:
    with serve_api(settings) as url, announced(settings, url):
        found = find_service(settings)
        assert found is not None
        assert (found.url, found.private) == (url, False)
    assert [path.name for path in settings.state.glob("service*")] == []


def test_a_stale_file_is_said_and_removed(anabranch: Any, books: Any, settings: Settings) -> None:
    path = stale(settings)
    ran = anabranch("jobs")
    assert ran.code == 0
    told = (
        f"anabranch: removed {path}: the service that it tells of (http://127.0.0.1:1, process 1) is gone\n"
    )
    assert ran.err == told
    assert not path.exists()


def test_another_service_at_the_address_is_not_taken_for_it(
    anabranch: Any, books: Any, settings: Settings
) -> None:
    with serve_api(settings) as url:
        path = stale(settings, url)
        assert find_service(settings) is None
        assert not path.exists()


@pytest.mark.parametrize("written", ["", "{", "[]", '{"url": 5}', "\x00"])
def test_a_file_that_tells_nothing_is_said_and_removed(
    written: str, anabranch: Any, books: Any, settings: Settings
) -> None:
    path = settings.state / STATE_FILE
    path.write_text(written)
    assert anabranch("jobs").err == f"anabranch: removed {path}: it tells of no service\n"
    assert not path.exists()


def test_a_service_that_hangs_is_left_alone_and_named(anabranch: Any, books: Any, settings: Settings) -> None:
    path = stale(settings)
    with hold(settings), pytest.raises(CannotStart, match="lives and does not answer"):
        find_service(settings)
    assert path.exists()


def test_up_beside_a_service_is_refused_with_its_address(anabranch: Any, served: str) -> None:
    ran = anabranch("up", "--engine", "scripted", "--port", "0")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert f"runs at {served} on" in ran.err
    assert "use that one, stop it" in ran.err


def test_of_a_database_server_any_number_may_serve(settings: Settings) -> None:
    shared = settings.model_copy(update={"database": "postgresql://localhost/x"})
    with hold(shared), hold(shared):
        pass
    with hold(settings), pytest.raises(AnotherServes), hold(settings):
        pass


def test_who_names_another_database_means_that(
    anabranch: Any, served: str, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ANABRANCH_DATABASE", f"sqlite:///{tmp_path}/other.db")
    assert anabranch("jobs").out.strip().startswith("job")
    assert (tmp_path / "other.db").exists()


def test_a_command_waits_for_the_engine_of_another_command(books: Any, settings: Settings) -> None:
    """A private one ends with its command: nobody else's job is given to it."""
    first = ExitStack()
    first.enter_context(hold(settings))
    first.enter_context(announced(settings, first.enter_context(serve_api(settings)), private=True))
    found = find_service(settings)
    assert found is not None and found.private

    got = threading.Event()

    def second() -> None:
        with ExitStack() as stack:
            assert connect._held_or_found(stack, settings) is None
            got.set()

    waiting = threading.Thread(target=second)
    waiting.start()
    assert not got.wait(0.2)
    first.close()
    assert got.wait(60)
    waiting.join()


def test_a_command_waits_for_a_service_that_is_starting_and_then_asks_it(
    books: Any, settings: Settings
) -> None:
    starting = ExitStack()
    starting.enter_context(hold(settings))
    found: list[str | None] = []

    def ask() -> None:
        with ExitStack() as stack:
            found.append(connect._held_or_found(stack, settings))

    asking = threading.Thread(target=ask)
    asking.start()
    url = starting.enter_context(serve_api(settings))
    starting.enter_context(announced(settings, url))
    asking.join(60)
    assert found == [url]
    starting.close()
