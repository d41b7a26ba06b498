"""A file that a command writes is refused before the work, and replaced only by a whole one."""

import os
import threading
from pathlib import Path

import pytest

from anabranch.service.cli.writing import check_writable, replacing


def test_a_file_is_replaced_once_all_of_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "results"
    file.write_text("old")
    with replacing(file) as part:
        part.write_text("new")
        assert (part.name, file.read_text()) == ("results.part", "old")
    assert file.read_text() == "new"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt])
def test_what_is_stopped_leaves_the_file_as_it_was(fault: type[BaseException], tmp_path: Path) -> None:
    file = tmp_path / "results"
    file.write_text("old")

    def write_half() -> None:
        with replacing(file) as part:
            part.write_text("half")
            raise fault

    with pytest.raises(fault):
        write_half()
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_place_that_is_none_is_refused_before_the_block_by_the_name_that_was_given(tmp_path: Path) -> None:
    for file in (tmp_path / "nowhere" / "x", tmp_path):
        with pytest.raises((FileNotFoundError, IsADirectoryError)) as told, replacing(file):
            pytest.fail("the work has begun")
        assert told.value.filename == str(file)


def test_a_link_goes_on_leading_to_what_is_written(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with replacing(tmp_path / "link") as part:
        part.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "new"


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    with replacing(pipe) as itself:
        itself.write_text("all of it")
    reader.join()
    assert (read, pipe.is_fifo()) == (["all of it"], True)


def test_whether_a_file_can_be_written_is_asked_without_a_trace(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("old")
    check_writable(tmp_path / "there")
    check_writable(tmp_path / "new")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("there", "old")]
    for nowhere in (tmp_path, tmp_path / "none" / "x"):
        with pytest.raises((FileNotFoundError, IsADirectoryError)):
            check_writable(nowhere)
