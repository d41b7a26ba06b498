"""Health, metrics, documents, and who may call."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from anabranch.service.api.app import create_app
from anabranch.service.api.static import Dashboard
from anabranch.service.instance import INSTANCE
from anabranch.service.settings import Settings

Q = {"question": "What is six times seven?"}


async def test_healthz_and_readyz(client: httpx.AsyncClient, organizers: Any) -> None:
    assert (await client.get("/healthz")).json() == {"status": "ok", "instance": INSTANCE}
    assert (await client.get("/readyz")).json() == {
        "status": "ready",
        "replicas": 1,
        "organizers": 1,
        "pools": {},
    }
    organizers.pool = None
    response = await client.get("/readyz")
    assert response.status_code == 200, "jobs are accepted, and wait"
    assert response.json() == {"status": "ready", "replicas": 0, "organizers": 1, "pools": {}}


async def test_metrics_count_jobs_and_requests_by_route(client: httpx.AsyncClient, job: str) -> None:
    await client.get(f"/v1/jobs/{job}")
    await client.get("/v1/jobs/nobody")
    text = (await client.get("/metrics")).text
    assert 'anabranch_jobs{status="queued"} 1.0' in text
    assert 'anabranch_jobs{status="waiting"} 0.0' in text
    assert 'anabranch_jobs{status="failed"}' not in text, "those are anabranch_jobs_ended_total"
    assert "anabranch_pool_capacity 32.0" in text
    assert "anabranch_organizers 1.0" in text
    assert 'anabranch_http_requests_total{method="GET",route="/v1/jobs/{job}",status="200"} 1.0' in text
    assert 'anabranch_http_requests_total{method="GET",route="/v1/jobs/{job}",status="404"} 1.0' in text
    assert job not in text


async def test_openapi_has_examples_and_problem_documents(client: httpx.AsyncClient) -> None:
    described = (await client.get("/openapi.json")).json()
    submit = described["paths"]["/v1/jobs"]["post"]
    assert "application/problem+json" in submit["responses"]["422"]["content"]
    assert described["components"]["schemas"]["JobRequest"]["examples"]
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            assert operation.get("description"), f"{method} {path} says nothing"
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    assert list(answer["content"]) == ["application/problem+json"], (path, status)


async def test_docs_is_one_page_from_here(client: httpx.AsyncClient) -> None:
    assert (await client.get("/docs")).headers["content-type"].startswith("text/html")
    page = (await client.get("/docs/plain")).text
    assert "/v1/jobs/{job}/events" in page
    assert "<script" not in page
    assert (await client.get("/docs.css")).headers["content-type"].startswith("text/css")


@pytest.mark.parametrize("path", ["/healthz", "/v1/jobs/nobody", "/docs", "/", "/v1/jobs"])
async def test_every_answer_keeps_a_browser_safe(path: str, client: httpx.AsyncClient) -> None:
    headers = (await client.get(path)).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "access-control-allow-origin" not in headers


class TestProbes:
    """kubelet asks a pod by its address; Prometheus does, too."""

    @pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
    async def test_a_pod_answers_probes_under_its_address(self, path: str, app: FastAPI) -> None:
        pod = Settings(host="0.0.0.0", allowed_hosts=("anabranch.example",))
        app = create_app(replace(app.state.deps, settings=pod))
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://10.1.2.3:8000"
        ) as kubelet:
            assert (await kubelet.get(path)).status_code == 200
            assert (await kubelet.get("/v1/jobs")).status_code == 403

    @pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/readyz", 200), ("/metrics", 403)])
    async def test_on_loopback_only_probes_are_answered_under_any_name(
        self, path: str, status: int, client: httpx.AsyncClient
    ) -> None:
        assert (await client.get(path, headers={"Host": "evil.example"})).status_code == status


class TestBrowsers:
    """A page of another origin can read nothing and change nothing."""

    @pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""])
    async def test_a_rebound_name_is_refused(self, host: str, client: httpx.AsyncClient) -> None:
        assert (await client.get("/v1/jobs", headers={"Host": host})).status_code == 403

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9", "[::1]:8000", "LOCALHOST:80"])
    async def test_names_of_this_machine_are_taken(self, host: str, client: httpx.AsyncClient) -> None:
        assert (await client.get("/v1/jobs", headers={"Host": host})).status_code == 200

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://["},
            {"Origin": "http://℀.example".encode()},
            {"Origin": "http://127.0.0.1:9999"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ],
    )
    async def test_another_origin_changes_nothing(
        self, headers: dict[str, str], client: httpx.AsyncClient
    ) -> None:
        response = await client.post("/v1/jobs", json=Q, headers=headers)
        assert response.status_code == 403
        assert response.json()["type"] == "urn:anabranch:wrong-origin"

    async def test_our_own_page_may(self, client: httpx.AsyncClient, job: str) -> None:
        headers = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}
        assert (await client.post("/v1/jobs", json=Q, headers=headers)).status_code == 202
        bare = await client.post(f"/v1/jobs/{job}/cancel", headers=headers)
        assert bare.status_code == 415
        named = await client.post(f"/v1/jobs/{job}/cancel", headers=headers | {"X-Anabranch": "1"})
        assert named.status_code == 202

    async def test_a_program_needs_no_header_where_there_is_no_body(
        self, client: httpx.AsyncClient, job: str
    ) -> None:
        assert (await client.post(f"/v1/jobs/{job}/cancel")).status_code == 202


class TestDashboard:
    @pytest.fixture
    def built(self, app: FastAPI, tmp_path: Path) -> Path:
        folder = tmp_path / "static"
        (folder / "assets").mkdir(parents=True)
        (folder / "index.html").write_text("<!doctype html>dashboard")
        (folder / "assets" / "index-1a2b.js").write_text("export {}")
        (tmp_path / "secret.txt").write_text("secret")
        app.router.default = Dashboard(folder)
        return folder

    async def test_where_it_is_not_built_the_page_says_how(
        self, app: FastAPI, client: httpx.AsyncClient, tmp_path: Path
    ) -> None:
        app.router.default = Dashboard(tmp_path / "nothing")
        response = await client.get("/")
        assert response.status_code == 200
        assert "make ui" in response.text

    @pytest.mark.parametrize("path", ["/", "/jobs/0190", "/compare", "/approvals"])
    async def test_every_page_is_the_same_file(
        self, path: str, built: Path, client: httpx.AsyncClient
    ) -> None:
        response = await client.get(path)
        assert response.text == "<!doctype html>dashboard"
        assert response.headers["cache-control"] == "no-cache"

    async def test_files_named_by_their_hash_are_kept(self, built: Path, client: httpx.AsyncClient) -> None:
        response = await client.get("/assets/index-1a2b.js")
        assert response.text == "export {}"
        assert "immutable" in response.headers["cache-control"]

    @pytest.mark.parametrize(
        "path", ["/assets/none.js", "/../secret.txt", "/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret.txt"]
    )
    async def test_nothing_else_is_served(self, path: str, built: Path, client: httpx.AsyncClient) -> None:
        response = await client.get(path)
        assert response.status_code == 404
        assert "secret" not in response.text.replace(path, "")
