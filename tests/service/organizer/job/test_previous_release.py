"""Jobs that the previous release began go on under this one: their journals are replayed, whatever the versions say.

`previous_release.json` holds journals as release 84b3024 wrote them, by its simulator: for each policy the rows
`[seq, kind, branch, payload]` of one whole job. A change that truly decides otherwise belongs into the change log; then
the journals are written anew, by the release before it.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from anabranch.dag import events as e
from anabranch.dag.errors import Diverged
from anabranch.dag.ids import JobId
from anabranch.dag.journal.replay import replay
from anabranch.dag.policy import policy_named
from anabranch.service.organizer.job.resume import resume
from anabranch.service.store.codec import decode

JOURNALS = json.loads(Path(__file__).with_name("previous_release.json").read_text(encoding="utf-8"))


def journal(policy: str) -> list[e.Record]:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        e.Record(
            job=JobId("j"),
            seq=seq,
            epoch=1,
            at=at,
            event=decode(kind, branch, payload),
            prev_hash="",
            hash="",
        )
        for seq, kind, branch, payload in JOURNALS[policy]
    ]


@pytest.mark.parametrize("policy", JOURNALS)
def test_a_job_goes_on_wherever_it_stood(policy: str) -> None:
    """At each point at which an organizer can be lost: behind a fact and all that followed from it."""
    records = journal(policy)
    submitted = records[0].event
    assert isinstance(submitted, e.JobSubmitted)
    assert submitted.policy_version != policy_named(policy).version
    whole = [end for end in range(1, len(records) + 1) if diverges_at(records[:end]) is None]
    for end in set(range(1, len(records) + 1)) - set(whole):  # in the middle of what one fact led to
        divergence = diverges_at(records[:end])
        assert divergence is not None
        assert (divergence.seq, divergence.recorded) == (end + 1, None)
        assert divergence.computed == records[end].event
    for end in whole:
        resume(records[:end])
    assert resume(records).interpreter.over
    assert len(whole) > 2


def diverges_at(records: list[e.Record]) -> Diverged | None:
    try:
        replay(records)
    except Diverged as error:
        return error
    return None
