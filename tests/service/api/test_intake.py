"""Admission of submissions: bursts are taken, a standing line is not, and nothing is refused where there is no line.
Chats stand in line for their turn."""

import asyncio
import json
from typing import Any

import pytest

from anabranch.service.api.intake import (
    AWAY_SECONDS,
    BURST_SECONDS,
    CALM_SECONDS,
    FEW,
    WAIT_SECONDS,
    Intake,
    Kind,
    Submissions,
)
from anabranch.service.api.intake import submitted as tell_submitted


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Service:
    """Makes one submission durable each 10 ms, in turn."""

    EACH = 0.01

    def __init__(self) -> None:
        self.clock = Clock()
        self.intake = Intake(self.clock)
        self.line: list[float] = []
        self.waits: list[float] = []
        self.refused: list[int] = []

    def arrive(self) -> None:
        seconds = self.intake.enter()
        if seconds is None:
            self.line.append(self.clock.now)
        else:
            self.refused.append(seconds)

    def work(self, seconds: float, every: float | None = None) -> None:
        """Works on for so long; meanwhile a submission arrives each `every` seconds."""
        until, arrival = self.clock.now + seconds, self.clock.now
        while self.clock.now < until:
            while every is not None and arrival <= self.clock.now:
                self.arrive()
                arrival += every
            self.clock.now += self.EACH
            if self.line:
                self.waits.append(self.clock.now - self.line.pop(0))
                self.intake.leave(Kind.HURRIED)


def test_a_few_are_no_line_though_the_store_is_slow() -> None:
    clock = Clock()
    intake = Intake(clock)
    for _ in range(20):
        assert [intake.enter() for _ in range(FEW)] == [None] * FEW
        clock.now += 2.0
        for _ in range(FEW):
            intake.leave(Kind.HURRIED)


def test_who_comes_one_after_the_other_is_never_refused() -> None:
    service = Service()
    service.work(60.0, every=2 * Service.EACH)
    assert not service.refused


def test_a_burst_is_taken_and_drained() -> None:
    service = Service()
    service.work(1.0, every=0.05)
    for _ in range(80):
        service.arrive()
    service.work(2.0)
    assert not service.refused and not service.line


def test_of_twice_what_can_be_written_half_is_taken_and_soon_done() -> None:
    service = Service()
    service.work(2 * BURST_SECONDS + 1.0, every=Service.EACH / 2)
    service.waits.clear()
    service.work(30.0, every=Service.EACH / 2)
    assert len(service.waits) >= 0.95 * 30.0 / Service.EACH  # no capacity lies idle
    assert max(service.waits) < 2 * WAIT_SECONDS
    assert set(service.refused) == set(range(1, 1 + AWAY_SECONDS))  # they do not come back as one


def test_behind_an_overload_bursts_are_taken_again() -> None:
    service = Service()
    service.work(5.0, every=Service.EACH / 4)
    service.refused.clear()
    service.work(CALM_SECONDS + 1.0)
    for _ in range(40):
        service.arrive()
    assert not service.refused


def test_a_quicker_service_lets_more_in_at_once() -> None:
    depths = []
    for each in (0.02, 0.002):
        service = Service()
        service.EACH = each
        service.work(10.0, every=each / 2)
        depths.append(len(service.line))
    assert depths[1] > 5 * depths[0]


async def ask(middleware: Submissions, path: str) -> tuple[int, dict[str, str], dict[str, Any]]:
    told: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        told.append(message)

    await middleware({"type": "http", "method": "POST", "path": path, "headers": []}, receive, send)
    headers = {name.decode(): value.decode() for name, value in told[0]["headers"]}
    return told[0]["status"], headers, json.loads(told[1]["body"])


def slow_intake(clock: Clock) -> Intake:
    """Makes one submission durable each second, and has FEW of both kinds under way."""
    intake = Intake(clock)
    for kind in Kind:
        intake._under_way[kind] = FEW
    for kind in Kind:
        for _ in range(FEW // 2):
            clock.now += 1.0
            intake.leave(kind)
            intake._under_way[kind] += 1
    return intake


async def test_a_refusal_tells_when_to_come_again_in_the_words_of_its_surface() -> None:
    middleware = Submissions(app=None)  # type: ignore[arg-type]
    middleware._intake = slow_intake(Clock())
    status, headers, problem = await ask(middleware, "/v1/jobs")
    assert (status, problem["type"]) == (429, "urn:anabranch:busy")
    assert 1 <= int(headers["retry-after"]) <= AWAY_SECONDS
    line = [asyncio.create_task(middleware._intake.stand_in_line()) for _ in range(7)]
    await asyncio.sleep(0)
    status, headers, problem = await ask(middleware, "/v1/responses")
    assert status == 429 and problem["error"]["message"] and "retry-after" in headers
    for each in line:
        each.cancel()


async def test_chats_are_let_in_by_turns_as_those_before_them_are_durable() -> None:
    intake = slow_intake(Clock())
    let_in: list[int] = []

    async def chat(number: int) -> None:
        assert await intake.stand_in_line() is None
        let_in.append(number)

    line = [asyncio.create_task(chat(number)) for number in range(5)]
    await asyncio.sleep(0)
    assert not let_in
    for left in range(FEW // 2 + 1):
        intake.leave(Kind.PATIENT)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(let_in) == max(0, left - FEW // 2 + 1)
    for _ in range(4):
        intake.leave(Kind.PATIENT)
    await asyncio.gather(*line)
    assert let_in == [0, 1, 2, 3, 4]


async def test_who_comes_while_others_stand_in_line_goes_behind_them() -> None:
    intake = slow_intake(Clock())
    first = asyncio.create_task(intake.stand_in_line())
    await asyncio.sleep(0)
    while not first.done():
        intake.leave(Kind.PATIENT)
        second = asyncio.create_task(intake.stand_in_line())
        await asyncio.sleep(0)
        assert first.done() or not second.done()
        second.cancel()
        await asyncio.sleep(0)


async def test_a_chat_that_leaves_the_line_takes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anabranch.service.api.intake.LINE_SECONDS", 0.01)
    intake = slow_intake(Clock())
    before = dict(intake._under_way)
    gone = asyncio.create_task(intake.stand_in_line())
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await intake.stand_in_line() in range(1, 1 + AWAY_SECONDS)  # it stood for as long as one may
    assert intake._under_way == before and not intake._line


async def test_a_chat_that_is_cancelled_when_its_turn_has_come_gives_its_place_on() -> None:
    intake = slow_intake(Clock())
    line = [asyncio.create_task(intake.stand_in_line()) for _ in range(2)]
    await asyncio.sleep(0)
    while len(intake._line) == 2:
        intake.leave(Kind.PATIENT)
    line[0].cancel()
    assert await line[1] is None
    assert line[0].cancelled() and not intake._line


def test_where_jobs_press_chats_have_half_of_the_room_and_the_other_way_round() -> None:
    for pressing, other in (Kind.HURRIED, Kind.PATIENT), (Kind.PATIENT, Kind.HURRIED):
        clock = Clock()
        intake = Intake(clock)
        for _ in range(500):
            intake._under_way[pressing] += 1
            clock.now += 0.001
            intake.leave(pressing)
        while intake._has_room(pressing):
            intake._under_way[pressing] += 1
        while intake._has_room(other):
            intake._under_way[other] += 1
        assert intake._under_way[pressing] == pytest.approx(2 * intake._under_way[other], abs=2)


async def test_a_client_that_waits_for_its_answer_keeps_no_submission_waiting() -> None:
    left: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert middleware._intake is not None
        tell_submitted()
        tell_submitted()
        left.append(middleware._intake.under_way)

    middleware = Submissions(app)
    for _ in range(3):
        await middleware({"type": "http", "method": "POST", "path": "/v1/chat/completions"}, app, app)  # type: ignore[arg-type]
    assert left == [0, 0, 0]
    assert middleware._intake is not None and middleware._intake.under_way == 0
