"""Refusals: a kind for each status, with the problem document in it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.client import (
    BadInput,
    Conflict,
    Fault,
    Forbidden,
    NotAuthenticated,
    NotFound,
    ServiceRefused,
    TooManyRequests,
    Unavailable,
)
from anabranch.service.client.errors import Problem, read_retry_after, refusal

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadInput), (401, NotAuthenticated), (403, Forbidden), (404, NotFound), (405, ServiceRefused),
        (409, Conflict), (413, BadInput), (415, BadInput), (422, BadInput), (429, TooManyRequests),
        (500, ServiceRefused), (503, Unavailable),
    ],
)  # fmt: skip
def test_each_status_has_its_kind(status: int, kind: type[ServiceRefused]) -> None:
    body = (
        b'{"type": "urn:anabranch:x", "title": "X", "detail": "Why.", "extra": 1, '
        b'"errors": [{"path": "policy.name", "message": "no"}]}'
    )
    error = refusal("/v1/jobs", status, {"retry-after": "7"}, body)
    assert type(error) is kind
    assert (error.status, error.retry_after, str(error)) == (status, 7.0, "Why.")
    assert error.problem.type == "urn:anabranch:x"
    assert error.problem.errors == (Fault("policy.name", "no"),)
    assert error.problem.document["extra"] == 1


@given(
    st.binary(max_size=300)
    | st.sampled_from([b"[]", b'{"title": "X", "errors": 3}', b'{"title": 5, "errors": [3, {}]}', b"<html>"])
)
def test_any_body_of_a_refusal_is_read(body: bytes) -> None:
    assert Problem.read("/v1/jobs", 502, body).status == 502
    assert str(refusal("/v1/jobs", 502, {}, body))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "404, an empty body"),
        (b" \n", "404, an empty body"),
        (b"<h1>Not\nFound</h1>", "404: <h1>Not Found</h1>"),
        (b'{"detail":"Not Found"}', '404: {"detail":"Not Found"}'),
        (b'{"error": {"message": "no"}}', '404: {"error": {"message": "no"}}'),
        (b'["title"]', '404: ["title"]'),
    ],
)
def test_what_is_no_problem_document_comes_from_somebody_else(body: bytes, told: str) -> None:
    error = refusal("/v1/jobs", 404, {}, body)
    assert type(error) is NotFound and error.problem.document == {}
    assert str(error) == (
        f"the reply to /v1/jobs cannot be read ({told}); is this the address of an Anabranch service?"
    )


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        (None, None), ("5", 5.0), (" 5 ", 5.0), ("Sat, 14 Mar 2026 09:27:03 GMT", 10.0),
        ("Sat, 14 Mar 2026 09:26:03 GMT", 0.0), ("soon", None), ("-1", None), ("", None),
    ],
)  # fmt: skip
def test_when_to_come_back_is_told_in_either_form(told: str | None, seconds: float | None) -> None:
    assert read_retry_after(told, NOW) == seconds
