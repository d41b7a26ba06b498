"""The image with vLLM for CPUs: built whole, and a model answers in it. That takes long, and many gigabytes: it is done
only where somebody names an index with PyTorch's CPU builds (docs/kubernetes.md):

    ANABRANCH_TEST_CPU_IMAGE=https://… pytest -s tests/deploy/test_cpu_image.py
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.deploy.image import ROOT, Image, missing_tools

INDEX = os.environ.get("ANABRANCH_TEST_CPU_IMAGE")
MODEL = "qwen2.5-coder-0.5b"
"""Of the overlay `demo-cpu`; its pool's pods fetch it by themselves."""

ANSWER = f"""
set -eu
anabranch up --engine vllm --model {MODEL} --port 8917 &
service=$!
until wget -q -O /dev/null http://127.0.0.1:8917/readyz; do
    kill -0 $service
    sleep 1
done
wget -q -O job --header 'content-type: application/json' --post-data '
    {{"question": "What is six times seven?", "policy": {{"name": "sequential"}}}}
' http://127.0.0.1:8917/v1/jobs
job=$(python -c 'import json; print(json.load(open("job"))["id"])')
until grep -q '"finished_at":"' answer 2>/dev/null; do # the model is fetched first
    wget -q -O answer "http://127.0.0.1:8917/v1/jobs/$job?wait=60"
done
cat answer
echo
kill -TERM $service
wait $service
"""


@pytest.mark.image
@pytest.mark.timeout(3600)
@pytest.mark.skipif(INDEX is None, reason="ANABRANCH_TEST_CPU_IMAGE names no index of PyTorch's CPU builds")
def test_a_model_answers_in_it(tmp_path: Path, record_property: Callable[[str, str], None]) -> None:
    assert not missing_tools()
    image = Image(tmp_path)
    try:
        image.build_base()
        began = time.monotonic()
        image.build(ROOT, EXTRAS="cpu,postgres", TORCH_CPU_INDEX=str(INDEX))
        seconds = time.monotonic() - began
        told = f"{image.size() / 1e9:.2f} GB, built in {seconds:.0f} s"
        record_property("measured", told)
        assert image.run("id", "--user") == "1000"
        told = image.run("bash", "-c", ANSWER, away=False)
    finally:
        image.remove()
    [answered] = [line for line in told.splitlines() if line.startswith('{"id"')]
    job = json.loads(answered)
    assert job["status"] == "succeeded"
    assert job["answer"]["text"]
