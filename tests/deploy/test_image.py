"""The image of REST, organizers and head, which holds no engine but the scripted and the upstream's: built, then run as
its pods run it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.deploy.image import Image, missing_tools

pytestmark = [pytest.mark.image, pytest.mark.timeout(900)]


ANSWER_A_JOB = """
set -eu
export RAY_raylet_start_wait_time_s=200 RAY_agent_register_timeout_ms=200000 # this machine may be busy
ANABRANCH_RAY=true anabranch up --engine scripted --port 8000 &
service=$!
until wget -q -O /dev/null http://127.0.0.1:8000/readyz; do
    kill -0 $service
    sleep 0.5
done
wget -q -O job --header 'content-type: application/json' --post-data '
    {"question": "What is six times seven?", "policy": {"name": "self-consistency", "params": {"n": 3}}}
' http://127.0.0.1:8000/v1/jobs
job=$(python -c 'import json; print(json.load(open("job"))["id"])')
wget -q -O - "http://127.0.0.1:8000/v1/jobs/$job?wait=60"
echo
kill -TERM $service # what is started with & never hears of INT
wait $service
"""


@pytest.fixture(scope="module")
def image(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    if missing := missing_tools():
        told = f"no image is built without {', '.join(missing)}"
        pytest.fail(told) if os.environ.get("CI") else pytest.skip(told)
    made = Image(tmp_path_factory.mktemp("image"))
    made.build_base()
    made.build(root)
    yield made
    made.remove()


def test_a_pod_of_it_has_no_rights_and_nothing_to_change(image: Image) -> None:
    assert image.run("id", "--user") == "1000"
    refused = image.run("touch", "/opt/anabranch/new", check=False)
    assert "Read-only file system" in refused


def test_kuberay_can_start_it_and_ask_after_its_health(image: Image) -> None:
    """By bash, perhaps a login shell, which has a PATH of its own; by wget; and without an entrypoint in the way."""
    assert not image.config.get("Entrypoint")
    for options in ("-c", "-lc"):
        told = image.run("bash", options, "--", "ulimit -n 1024; ray --version")
        assert told.startswith("ray, version")
    assert image.run("wget", "--version")


def test_it_holds_all_that_a_cluster_imports(image: Image) -> None:
    image.run("python", "-c", "import anabranch.service.serving, anabranch.service.api.app, asyncpg")


def test_it_answers_a_job(image: Image) -> None:
    """Ray, organizer, pool, REST and the embedded store, all of them from the image."""
    told = image.run("bash", "-c", ANSWER_A_JOB)
    [answered] = [line for line in told.splitlines() if line.startswith('{"id"')]
    job = json.loads(answered)
    assert job["status"] == "succeeded"
    assert job["answer"]["text"]
