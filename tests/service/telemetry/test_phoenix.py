"""What Arize Phoenix makes of a job's spans. Not run by default: it wants 855 MB of its own environment.

python -m venv phoenix && phoenix/bin/pip install arize-phoenix
ANABRANCH_TEST_PHOENIX=phoenix/bin/python pytest -m phoenix
"""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.service.telemetry.test_export import TRACE, free_port

from anabranch.service.telemetry.capture import Capture
from anabranch.service.telemetry.export import Exporter
from anabranch.service.telemetry.ids import TraceOrigin
from anabranch.service.telemetry.spans import spans_of

pytestmark = pytest.mark.phoenix

# Its gRPC server would listen on all addresses, whatever PHOENIX_HOST says.
ON_LOOPBACK = """
import sys
from grpc.aio import _server
add = _server.Server.add_insecure_port
_server.Server.add_insecure_port = lambda self, at: add(self, at.replace("[::]", "127.0.0.1"))
from phoenix.server.main import main
sys.argv = ["phoenix", "serve"]
main()
"""


@pytest.fixture
def phoenix(tmp_path: Path) -> Iterator[str]:
    program = os.environ.get("ANABRANCH_TEST_PHOENIX")
    if program is None:
        pytest.skip("ANABRANCH_TEST_PHOENIX does not name a Python with arize-phoenix; see above")
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "PHOENIX_WORKING_DIR": str(tmp_path),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(free_port()),
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
        "PHOENIX_DISABLE_AGENT_ASSISTANT": "true",
        "PHOENIX_ENABLE_MCP_SERVER": "false",
    }
    with (tmp_path / "phoenix.log").open("wb") as log:
        server = subprocess.Popen([program, "-c", ON_LOOPBACK], env=environment, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            await_ready(url, server)
            yield url
        finally:
            server.terminate()
            server.wait(timeout=20)


def await_ready(url: str, server: subprocess.Popen[bytes]) -> None:
    while server.poll() is None:  # the test's own time limit ends this
        try:
            if httpx.get(f"{url}/v1/projects").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    pytest.fail(f"Phoenix ended with {server.returncode}; its log is beside its database")


async def test_phoenix_shows_every_span_under_its_parent_by_its_kind_with_prompts_and_answers(
    phoenix: str, voted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", phoenix)
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "openinference.project.name=anabranch")
    spans = spans_of(voted.records, TraceOrigin(TRACE), "tiny", Capture(on_spans=True))
    exporter = Exporter()
    assert await exporter.export(spans)
    await exporter.close()

    shown: list[dict[str, Any]] = []
    async with httpx.AsyncClient(base_url=phoenix) as client:
        while len(shown) < len(spans):  # it stores them a moment later
            answer = await client.get("/v1/projects/anabranch/spans", params={"limit": 100})
            shown = answer.json()["data"] if answer.is_success else []
    parents = {one["context"]["span_id"]: one["parent_id"] for one in shown}
    assert parents == {span.span_id: span.parent_span_id for span in spans}
    kinds = {one["name"]: one["span_kind"] for one in shown}
    assert kinds["chat tiny"] == "LLM"
    assert kinds["invoke_agent sample"] == "AGENT"
    told = {one["name"]: one["attributes"] for one in shown}
    for name in ("invoke_workflow anabranch", "invoke_agent sample", "chat tiny"):
        assert told[name]["input.value"] == "What is six times seven?"
        assert told[name]["output.value"] == "42"
    chat = told["chat tiny"]
    assert chat["llm.input_messages.0.message.content"] == "What is six times seven?"
    assert chat["llm.token_count.prompt"] == 20
    assert chat["session.id"] == voted.job
