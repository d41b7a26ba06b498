"""Live: who is told of text that is being decoded."""

from typing import Any

import pytest
from tests.service.api.answering.test_answer_stream import record

from anabranch.dag import events as e
from anabranch.dag.ids import BranchId, JobId
from anabranch.service.link.frames import Texts
from anabranch.service.link.outbox import Outbox
from anabranch.service.organizer.live import Live
from anabranch.workers.messages import Key, TextPiece

JOB, CANDIDATE = JobId("j"), BranchId("0.1")


class Connection:
    """A REST process that follows the job."""

    def __init__(self, texts: Texts) -> None:
        self.outbox = Outbox()
        self.outbox.follows[JOB] = texts
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1


@pytest.mark.parametrize(("texts", "woken"), [(Texts.NONE, 0), (Texts.ANSWER, 0), (Texts.ALL, 1)])
async def test_text_of_a_candidate_wakes_only_who_reads_it(texts: Texts, woken: int) -> None:
    nobody: Any = None
    live, connection = Live(nobody, nobody), Connection(texts)
    connections: Any = live._server._connections
    connections.add(connection)
    partials = live.begin(JOB, 1)
    partials.note(record(e.SegmentStarted(branch=CANDIDATE, segment=1)))
    before = connection.woken
    key = Key(job=JOB, branch=CANDIDATE, segment=1)
    partials.add(TextPiece(key=key, segment=1, offset=0, text="It is 41.", tokens=4))
    assert connection.woken - before == woken
