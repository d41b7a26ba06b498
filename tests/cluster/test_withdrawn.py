"""What was told to end has ended, and in all that happened in this room nobody was told a secret."""

import subprocess
from pathlib import Path

import pytest
from tests.cluster.bed import Bed
from tests.cluster.test_secrets import leaks

pytestmark = pytest.mark.cluster


def test_the_older_cluster_has_ended_by_itself(bed: Bed) -> None:
    for pod in bed.leaving:
        pod.await_end(180)


async def test_no_secret_is_told_kept_or_logged_in_all_of_that(bed: Bed) -> None:
    """Ray's dashboard shows the command lines of its processes, so there is no password of Redis: heads show a
    certificate."""
    assert not await leaks(bed)


def test_redis_answers_whoever_shows_a_certificate_and_nobody_else(bed: Bed, tmp_path: Path) -> None:
    shown: list[str | Path] = []
    for path, text in bed.secrets.redis.client.items():
        file = tmp_path / Path(path).name
        file.write_text(text)
        flag = {"tls.crt": "--cert", "tls.key": "--key"}.get(file.name)
        shown += [flag, file] if flag else []
    ping = ("redis-cli", "-h", bed.redis.address, "--tls", "--insecure")
    answered, refused = (
        subprocess.run([*ping, *more, "PING"], capture_output=True, text=True, timeout=60, check=False)
        for more in (shown, [])
    )
    assert (answered.returncode, answered.stdout) == (0, "PONG\n")
    # How a connection ends that is refused is said in one of two ways, by which side was quicker.
    assert refused.returncode != 0 and "PONG" not in refused.stdout
