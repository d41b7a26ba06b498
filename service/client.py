"""Calls the REST surface from Python: what the command line uses, and what a script may use too."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import httpx

from anabranch.dag.events import TERMINAL_OF_JOB
from anabranch.dag.status import TERMINAL
from anabranch.service.bounded_json import check_json

Json = dict[str, Any]

LAST_KINDS = {kind.__name__ for kind in TERMINAL_OF_JOB}
PATIENCE_SECONDS = 60.0
"""How long a broken event stream is tried again without a single new event."""


class ServiceAway(Exception):
    """No service answers at this address. What was accepted before is kept."""

    def __init__(self, url: str, cause: Exception) -> None:
        super().__init__(
            f"no service answers at {url} ({cause}); start one with `anabranch up`, or set ANABRANCH_URL"
        )


class ServiceRefused(Exception):
    """The service said no. `problem` is its problem document."""

    def __init__(self, status: int, problem: Json) -> None:
        super().__init__(
            str(problem.get("detail") or problem.get("title") or f"the service answered {status}")
        )
        self.status, self.problem = status, problem


class Client:
    """One service. Raises ServiceAway, ServiceRefused, and BadJson for what no service takes (nothing is sent then)."""

    def __init__(self, url: str, *, key: str | None = None, timeout: float = 30.0) -> None:
        self.url = url.rstrip("/")
        headers = {"X-Anabranch": "client"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._http = httpx.Client(base_url=self.url, timeout=timeout, headers=headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    # -- jobs

    def submit(self, request: Mapping[str, Any], *, idempotency_key: str | None = None) -> Json:
        """The accepted job. It is durable: the service may go, and another will run it."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return self._json("POST", "/v1/jobs", json=dict(request), headers=headers)

    def job(self, job: str, *, wait: float | None = None) -> Json:
        """The job as it is now, or as it is when it has ended or `wait` seconds are over."""
        params = {} if wait is None else {"wait": wait}
        return self._json("GET", f"/v1/jobs/{job}", params=params, timeout=30 + (wait or 0))

    def wait(self, job: str) -> Json:
        """The job when it has ended, however long that takes."""
        while (found := self.job(job, wait=30))["status"] not in TERMINAL:
            pass
        return found

    def jobs(self, *, limit: int | None = None, **filters: str | None) -> Iterator[Json]:
        """Jobs, newest first, page by page: all of them, or the first `limit`."""
        params: dict[str, Any] = {name: value for name, value in filters.items() if value is not None}
        left = limit
        while left is None or left > 0:
            page = self._json("GET", "/v1/jobs", params=params | {"limit": min(left or 100, 100)})
            yield from page["items"]
            if not page["next_cursor"]:
                return
            params["cursor"] = page["next_cursor"]
            left = None if left is None else left - len(page["items"])

    def cancel(self, job: str) -> Json:
        return self._json("POST", f"/v1/jobs/{job}/cancel")

    def replay(self, job: str, *, branch: str, output: str) -> Json:
        """A new job that reuses all that does not depend on the edited branch."""
        return self._json("POST", f"/v1/jobs/{job}/replay", json={"branch": branch, "output": output})

    # -- what is derived from a job's journal

    def events(self, job: str, *, after: int = 0) -> Iterator[Json]:
        """The job's events from `after` on, live, until its last one. A broken stream is resumed where it broke."""
        seen, deadline = after, time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                for event in self._stream(job, seen):
                    seen, deadline = event["seq"], time.monotonic() + PATIENCE_SECONDS
                    yield event
                    if event["kind"] in LAST_KINDS:
                        return
                if self.job(job)["status"] in TERMINAL:
                    return
            except ServiceAway:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.5)

    def recorded(self, job: str) -> Iterator[Json]:
        """The events that are there now, page by page."""
        after: int | None = 0
        while after is not None:
            headers = {"Accept": "application/json"}
            page = self._json("GET", f"/v1/jobs/{job}/events", params={"after": after}, headers=headers)
            yield from page["items"]
            after = page["next_after"]

    def graph(self, job: str) -> Json:
        return self._json("GET", f"/v1/jobs/{job}/graph")

    def branch(self, job: str, branch: str) -> Json:
        return self._json("GET", f"/v1/jobs/{job}/branches/{branch}")

    def audit(self, job: str) -> Json:
        return self._json("GET", f"/v1/jobs/{job}/audit")

    def export(self, job: str, form: str) -> Iterator[str]:
        """The export, in pieces of text."""
        with self._request("GET", f"/v1/jobs/{job}/export", params={"format": form}) as response:
            yield from response.iter_text()

    # -- the rest

    def approvals(self) -> list[Json]:
        """The gates that wait for a person."""
        items: list[Json] = self._json("GET", "/v1/approvals")["items"]
        return items

    def decide(self, approval: str, decision: str, *, edit: str | None = None, reason: str = "") -> Json:
        body: Json = {"decision": decision, "reason": reason}
        return self._json(
            "POST", f"/v1/approvals/{approval}", json=body if edit is None else body | {"edit": edit}
        )

    def policies(self) -> list[Json]:
        items: list[Json] = self._json("GET", "/v1/policies")["items"]
        return items

    def ready(self) -> bool:
        """Whether a job can be answered now."""
        try:
            return self._http.get("/readyz").is_success
        except httpx.TransportError:
            return False

    # -- HTTP

    def _json(self, method: str, path: str, **options: Any) -> Json:
        check_json(options.get("json"))
        with self._request(method, path, **options) as response:
            found: Json = json.loads(response.read())
            return found

    @contextmanager
    def _request(self, method: str, path: str, **options: Any) -> Iterator[httpx.Response]:
        try:
            with self._http.stream(method, path, **options) as response:
                if response.is_error:
                    response.read()
                    raise ServiceRefused(response.status_code, _problem(response))
                yield response
        except httpx.TransportError as error:
            raise ServiceAway(self.url, error) from error

    def _stream(self, job: str, after: int) -> Iterator[Json]:
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": str(after)} if after else {})
        with self._request("GET", f"/v1/jobs/{job}/events", headers=headers, timeout=None) as response:
            for line in response.iter_lines():
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))


def _problem(response: httpx.Response) -> Json:
    try:
        found = response.json()
    except ValueError:
        return {"title": f"the service answered {response.status_code}: {response.text[:200]}"}
    return found if isinstance(found, dict) else {}
