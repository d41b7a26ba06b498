"""What a client does next, step by step: the network and the time are the test's."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from anabranch.client import (
    Client,
    Conflict,
    JobNotEnded,
    NotFound,
    ServiceAway,
    ServiceRefused,
    Text,
    TooManyRequests,
    Unavailable,
    UnreadableReply,
)
from anabranch.service.client import calls
from anabranch.service.client.calls import Reply, Request
from anabranch.service.client.steps import (
    Done,
    Effect,
    Give,
    Open,
    Outcome,
    Pause,
    Read,
    Send,
    Steps,
    Wire,
    advance,
)

LOST = ServiceAway("http://here", "connection reset")
REFUSED = ServiceAway("http://here", "connection refused", arrived=False)


SAMPLING = {"temperature": 0.7, "top_p": 1.0, "max_tokens": None}


def job(status: str = "running", id_: str = "j") -> dict[str, Any]:
    usage = {"prompt_tokens": 0, "cached_tokens": 0, "completion_tokens": 0, "cost": 0.0}
    metrics = {
        "critical_path_tokens": 0, "total_tokens": 0, "parallelism": 1.0, "waste_tokens": 0,
        "critical_path_seconds": 0.0, "wall_seconds": 0.0, "queue_seconds": 0.0, "branches": 1,
    }  # fmt: skip
    return {
        "id": id_, "status": status, "question": "What?", "policy": {"name": "sequential", "params": {}},
        "budget": {}, "priority": 5, "seed": 7, "metadata": {}, "sampling": SAMPLING, "answer": None,
        "error": None, "usage": usage, "metrics": metrics, "trace_id": "", "attempt": 1,
        "created_at": "2026-03-14T09:26:53.589793Z", "started_at": None, "finished_at": None,
    }  # fmt: skip


def ok(body: Any = None, status: int = 200) -> Reply:
    return Reply(status, {}, json.dumps(job() if body is None else body).encode())


def no(status: int, after: str | None = None) -> Reply:
    return Reply(status, {} if after is None else {"retry-after": after}, b'{"title": "No", "detail": "No."}')


def event(seq: int, kind: str = "SegmentStarted") -> bytes:
    told = {
        "job": "j", "seq": seq, "epoch": 1, "at": "2026-03-14T09:26:53.589793Z", "kind": kind, "branch": "0",
        "payload": {},
    }  # fmt: skip
    return f"id: {seq}\nevent: {kind}\ndata: {json.dumps(told)}\n\n".encode()


@dataclass
class World:
    """Answers what is sent with the outcomes it was given, one after the other; pauses pass at once."""

    now: float = 1000.0
    asked: list[Request] = field(default_factory=list)
    paused: list[float] = field(default_factory=list)
    given: list[Any] = field(default_factory=list)
    seconds_each: float = 0.0
    """How long each reply takes."""

    def wire(self, retry_seconds: float = 60.0, *, met: bool = True) -> Wire:
        wire = Wire("http://here", retry_seconds, lambda: self.now)
        if met:
            self.run(wire.ready(), ok({"replicas": 1}))
            self.asked.clear()
        return wire

    def run(self, steps: Steps[Any], *outcomes: Outcome) -> Any:
        waiting: Iterator[Outcome] = iter(outcomes)
        outcome: Outcome = None
        while not isinstance(effect := advance(steps, outcome), Done):
            outcome = self._carry_out(effect, waiting)
        assert not list(waiting), "not everything was asked for"
        return effect.value

    def _carry_out(self, effect: Effect, waiting: Iterator[Outcome]) -> Outcome:
        match effect:
            case Send(request) | Open(request):
                self.asked.append(request)
                self.now += self.seconds_each
                return next(waiting)
            case Read():
                return next(waiting)
            case Pause(seconds):
                self.paused.append(seconds)
                self.now += seconds
            case Give(value):
                self.given.append(value)
        return None


@pytest.fixture
def world() -> World:
    return World()


class TestTries:
    @pytest.mark.parametrize("status", [429, 503])
    def test_a_refusal_that_passes_is_tried_again_when_the_service_says(
        self, status: int, world: World
    ) -> None:
        got = world.run(world.wire().call(calls.get("j")), no(status, "9"), no(status, "4"), ok())
        assert got.id == "j"
        assert 9 <= world.paused[0] < 10
        assert 4 <= world.paused[1] < 5

    def test_pauses_grow_where_the_service_says_nothing(self, world: World) -> None:
        world.run(world.wire().call(calls.get("j")), *[no(503)] * 6, ok())
        assert all(
            later > sooner for sooner, later in zip(world.paused[::2], world.paused[2::2], strict=False)
        )
        assert max(world.paused) <= 8

    def test_a_pause_that_is_longer_than_the_patience_is_told_at_once(self, world: World) -> None:
        with pytest.raises(TooManyRequests) as told:
            world.run(world.wire().call(calls.get("j")), no(429, "40000"))
        assert told.value.retry_after == 40000
        assert not world.paused

    def test_patience_ends(self, world: World) -> None:
        with pytest.raises(Unavailable):
            world.run(world.wire(20).call(calls.get("j")), *[no(503, "6")] * 4)
        assert world.now <= 1020

    @pytest.mark.parametrize("status", [500, 502, 504])
    def test_what_a_proxy_says_or_a_server_that_stops_is_not_the_services_word(
        self, status: int, world: World
    ) -> None:
        foreign = Reply(status, {}, b"<h1>Bad Gateway</h1>")
        in_json = Reply(status, {}, b'{"message": "no backend"}')
        assert world.run(world.wire().call(calls.get("j")), foreign, in_json, foreign, ok()).id == "j"
        with pytest.raises(ServiceRefused, match=str(status)):
            world.run(world.wire().call(calls.replay("j", "0.1", "42")), foreign)

    @pytest.mark.parametrize("status", [404, 500])
    def test_a_refusal_that_stays_is_told_at_once(self, status: int, world: World) -> None:
        with pytest.raises(Exception, match=r"No\."):
            world.run(world.wire().call(calls.get("j")), no(status))
        assert not world.paused

    @pytest.mark.parametrize("body", [b"", b"<h1>Not Found</h1>"])
    def test_another_server_is_told_from_a_service_that_lacks_something(
        self, body: bytes, world: World
    ) -> None:
        with pytest.raises(NotFound, match=r"reply to /v1/jobs/j cannot be read \(404.*Anabranch service\?"):
            world.run(world.wire().call(calls.get("j")), Reply(404, {}, body))
        assert not world.paused

    def test_what_cannot_be_read_is_no_service_of_ours(self, world: World) -> None:
        for body in (b"<html>", b"[]", b'{"id": 3}', b"[" * 100_000):
            with pytest.raises(UnreadableReply, match="/v1/jobs/j"):
                world.run(world.wire().call(calls.get("j")), Reply(200, {}, body))


class TestOnce:
    """Nothing is done twice."""

    def test_a_submission_carries_the_same_key_each_time_it_is_sent(self, world: World) -> None:
        world.run(world.wire().call(calls.submit("What?", {}, None)), LOST, no(503), LOST, ok())
        keys = {request.headers["Idempotency-Key"] for request in world.asked}
        assert (len(world.asked), len(keys)) == (4, 1)
        world.run(world.wire().call(calls.submit("What?", {}, None)), ok())
        assert world.asked[-1].headers["Idempotency-Key"] not in keys

    def test_a_key_of_ones_own_is_sent(self, world: World) -> None:
        world.run(world.wire().call(calls.submit("What?", {}, "mine")), ok())
        assert world.asked[0].headers["Idempotency-Key"] == "mine"

    @pytest.mark.parametrize(
        "call",
        [calls.replay("j", "0.1", "42"), calls.decide("a", "approve", None, "")],
        ids=["replay", "decide"],
    )
    def test_what_has_no_key_is_not_sent_again_once_it_may_have_arrived(
        self, call: Any, world: World
    ) -> None:
        with pytest.raises(ServiceAway):
            world.run(world.wire().call(call), LOST)

    def test_but_it_is_where_it_did_not(self, world: World) -> None:
        world.run(world.wire().call(calls.replay("j", "0.1", "42")), REFUSED, no(503), no(429), ok())
        assert len(world.asked) == 4

    def test_a_conflict_is_told(self, world: World) -> None:
        with pytest.raises(Conflict):
            world.run(world.wire().call(calls.submit("What?", {}, "mine")), no(409))


class TestAddress:
    def test_an_address_where_nobody_ever_answered_is_told_at_once(self, world: World) -> None:
        with pytest.raises(ServiceAway, match="start one with `anabranch up`"):
            world.run(world.wire(met=False).call(calls.get("j")), REFUSED)

    def test_a_service_that_answered_once_may_be_away(self, world: World) -> None:
        wire = world.wire(met=False)
        world.run(wire.call(calls.get("j")), no(503), LOST, REFUSED, ok())
        assert len(world.paused) == 3


class TestWait:
    def test_it_waits_until_the_end(self, world: World) -> None:
        found = world.run(world.wire().wait("j", None), ok(), no(503), ok(), ok(job("failed")))
        assert found.status == "failed"
        assert [request.params["wait"] for request in world.asked] == [30.0] * 4

    def test_or_as_long_as_was_said(self, world: World) -> None:
        world.seconds_each = 30
        with pytest.raises(JobNotEnded, match="it goes on") as told:
            world.run(world.wire().wait("j", 40), ok(), ok())
        assert isinstance(told.value, TimeoutError)
        assert [request.params["wait"] for request in world.asked] == [30.0, 10.0]


class TestPages:
    def pages(self, *sizes: int) -> list[Reply]:
        cursors = [str(at) for at in range(1, len(sizes))] + [None]
        return [
            ok({"items": [job(id_=f"{at}.{one}") for one in range(size)], "next_cursor": cursor})
            for at, (size, cursor) in enumerate(zip(sizes, cursors, strict=True))
        ]

    def test_all_of_them(self, world: World) -> None:
        world.run(world.wire().jobs({"status": None, "q": "x"}, None), *self.pages(200, 200, 3))
        assert len(world.given) == 403
        assert [dict(request.params) for request in world.asked] == [
            {"q": "x", "limit": 200}, {"q": "x", "limit": 200, "cursor": "1"}, {"q": "x", "limit": 200, "cursor": "2"},
        ]  # fmt: skip

    def test_the_first_few(self, world: World) -> None:
        world.run(world.wire().jobs({}, 203), *self.pages(200, 3, 9)[:2])
        assert len(world.given) == 203
        assert [request.params["limit"] for request in world.asked] == [200, 3]

    def test_gates_are_asked_for_to_the_last_one(self, world: World) -> None:
        pages = [ok({"items": [], "next_cursor": cursor}) for cursor in ("1", None)]
        assert world.run(world.wire().approvals("decided"), *pages) == ()
        assert [dict(request.params) for request in world.asked] == [
            {"status": "decided"}, {"status": "decided", "cursor": "1"},
        ]  # fmt: skip

    def test_none(self, world: World) -> None:
        world.run(world.wire().jobs({}, 0))


class TestFollow:
    def seqs(self, world: World) -> list[int]:
        return [given.seq for given in world.given]

    def resumed(self, world: World) -> list[str | None]:
        return [request.headers.get("Last-Event-ID") for request in world.asked]

    def test_until_the_last_event(self, world: World) -> None:
        last = event(3, "JobSucceeded")
        world.run(world.wire().follow("j", 0, None), ok(), event(1) + event(2)[:9], event(2)[9:], last)
        assert self.seqs(world) == [1, 2, 3]
        assert self.resumed(world) == [None]

    @pytest.mark.parametrize(
        "trouble", [(LOST,), (None,), (None, REFUSED), (LOST, no(503, "2"), no(429)), (event(2)[:30], LOST)]
    )
    def test_a_broken_stream_is_resumed_where_it_broke(
        self, trouble: tuple[Outcome, ...], world: World
    ) -> None:
        rest = event(2) + event(3, "JobFailed")
        world.run(world.wire().follow("j", 0, None), ok(), event(1), *trouble, ok(), rest)
        assert self.seqs(world) == [1, 2, 3]
        assert self.resumed(world)[-1] == "1"

    def test_what_is_told_again_is_not_given_again(self, world: World) -> None:
        rest = event(1) + event(2) + event(2) + event(3, "JobCancelled")
        world.run(world.wire().follow("j", 0, None), ok(), event(1), LOST, ok(), rest)
        assert self.seqs(world) == [1, 2, 3]

    def test_what_is_left_out_is_asked_for_again(self, world: World) -> None:
        rest = event(2) + event(3, "JobSucceeded")
        world.run(world.wire().follow("j", 0, None), ok(), event(1) + event(3), ok(), rest)
        assert self.seqs(world) == [1, 2, 3]
        assert self.resumed(world) == [None, "1"]

    def test_all_was_seen(self, world: World) -> None:
        world.run(world.wire().follow("j", 7, None), Reply(204, {}, b""))
        assert self.resumed(world) == ["7"]

    def test_the_stream_ended_with_the_job_but_its_last_words_were_lost(self, world: World) -> None:
        world.run(world.wire().follow("j", 0, None), ok(), event(1), None, Reply(204, {}, b""))
        assert self.seqs(world) == [1]

    def test_a_job_that_is_silent_for_hours_is_followed(self, world: World) -> None:
        """Patience counts from the last sign of life, and a comment is one."""

        def silence() -> Iterator[Outcome]:
            for _ in range(50):
                world.now += 3600
                yield b": ping\n\n"
                yield LOST
                yield ok()

        world.run(world.wire().follow("j", 0, None), ok(), *silence(), event(1, "JobSucceeded"))
        assert self.seqs(world) == [1]

    def test_patience_ends(self, world: World) -> None:
        with pytest.raises(ServiceAway):
            world.run(world.wire(20).follow("j", 0, None), ok(), event(1), *[LOST] * 40)

    def test_a_job_that_is_not_there(self, world: World) -> None:
        with pytest.raises(NotFound):
            world.run(world.wire().follow("j", 0, None), no(404))


def text(at: int, text: str, segment: int = 1, **more: Any) -> bytes:
    told = {"branch": "0", "segment": segment, "final": True, "at": at, "text": text} | more
    return f"event: text\ndata: {json.dumps(told)}\n\n".encode()


class TestText:
    """Each character is given once."""

    def told(self, world: World) -> list[tuple[int, str, str]]:
        return [(one.at, one.text, one.reasoning) for one in world.given if isinstance(one, Text)]

    def follow(self, world: World, *outcomes: Outcome) -> list[tuple[int, str, str]]:
        last = event(3, "JobSucceeded")
        world.run(world.wire().follow("j", 0, "answer"), ok(), event(1), *outcomes, last)
        assert {request.params["text"] for request in world.asked} == {"answer"}
        return self.told(world)

    def test_as_it_is_decoded(self, world: World) -> None:
        pieces = [text(0, "", reasoning_at=0, reasoning="Hm."), text(0, "It "), text(3, "is.")]
        finished = event(2, "SegmentFinished")
        assert self.follow(world, *pieces, finished) == [(0, "", "Hm."), (0, "It ", ""), (3, "is.", "")]

    def test_a_stream_that_is_resumed_tells_it_from_its_beginning(self, world: World) -> None:
        again = text(0, "It is so.", reasoning_at=0, reasoning="Hm. So.")
        told = self.follow(
            world, text(0, "It ", reasoning_at=0, reasoning="Hm."), LOST, ok(), again, again, event(2)
        )
        assert told == [(0, "It ", "Hm."), (3, "is so.", " So.")]

    def test_text_that_is_decoded_anew_replaces_what_was_told(self, world: World) -> None:
        assert self.follow(world, text(0, "It is"), text(0, "So"), text(2, " it is"), event(2)) == [
            (0, "It is", ""), (0, "So", ""), (2, " it is", ""),
        ]  # fmt: skip

    def test_a_segment_begins_at_its_own_beginning(self, world: World) -> None:
        told = self.follow(world, text(0, "One"), event(2, "SegmentFinished"), text(0, "One", segment=2))
        assert told == [(0, "One", ""), (0, "One", "")]

    def test_text_that_was_left_out_is_asked_for_again(self, world: World) -> None:
        told = self.follow(world, text(0, "It"), text(5, "so"), ok(), text(0, "It is so"), event(2))
        assert told == [(0, "It", ""), (2, " is so", "")]


class TestExport:
    def test_characters_may_be_cut_anywhere(self, world: World) -> None:
        world.run(world.wire().export("j", "jsonl"), no(503), ok(), b"a\xe2\x82", b"\xac", None)
        assert "".join(world.given) == "a€"

    def test_what_broke_is_told(self, world: World) -> None:
        with pytest.raises(ServiceAway):
            world.run(world.wire().export("j", "jsonl"), ok(), b"a", LOST)


@pytest.mark.parametrize(
    ("call", "path"),
    [
        (lambda: calls.get("../../x?y#z"), "/v1/jobs/..%2F..%2Fx%3Fy%23z"),
        (lambda: calls.branch("j", "0/1", 1), "/v1/jobs/j/branches/0%2F1"),
        (lambda: calls.decide("a/b", "approve", None, ""), "/v1/approvals/a%2Fb"),
    ],
)
def test_an_id_is_one_part_of_a_path(call: Callable[[], Any], path: str) -> None:
    assert call().request.path == path


def test_an_address_without_a_scheme_is_told() -> None:
    with Client("localhost") as client, pytest.raises(ServiceAway, match="localhost"):
        client.get("j")
