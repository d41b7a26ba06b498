"""What goes into the journal comes out of it, and what was written once can be read for ever."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.service.store.golden.events import EVENTS
from tests.service.store.made_up import events_of

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Fault, Finish
from anabranch.dag.events import (
    KINDS,
    BranchForked,
    BranchScored,
    Event,
    ForkRejected,
    JobSubmitted,
    SegmentFinished,
    SegmentStarted,
    TextPosted,
)
from anabranch.dag.ids import BranchId
from anabranch.dag.job import JobSpec, Sampling
from anabranch.dag.text import say
from anabranch.dag.vocabulary import Cause
from anabranch.service.store.codec import (
    FORMAT,
    FORMAT_KEY,
    decode,
    decode_known,
    encode,
    kind_of,
    spec_from_json,
    spec_to_json,
)
from anabranch.service.store.errors import UnreadableFormat
from anabranch.service.store.sql.storable import json_text

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)
@given(data=st.data())
def test_every_event_is_read_back_as_it_was_stored(kind: str, data: st.DataObject) -> None:
    event = data.draw(events_of(kind))
    stored = encode(event)
    read = decode(stored.kind, event.branch, json.loads(stored.payload))
    assert stored.kind == kind
    assert read == stored.event
    assert encode(read).payload == stored.payload


@settings(deadline=None)
@given(events_of("JobSubmitted"))
def test_a_spec_survives_its_own_column(event: Event) -> None:
    submitted = encode(event).event
    assert isinstance(submitted, JobSubmitted)
    spec = submitted.spec
    assert spec_from_json(json.loads(json_text(spec_to_json(spec)))) == spec


def test_defaults_are_left_out_so_journals_stay_small() -> None:
    assert encode(SegmentStarted(segment=1)).payload == '{"segment":1}'
    assert (
        encode(BranchForked(child=BranchId("0.1"), role="worker")).payload
        == '{"child":"0.1","role":"worker"}'
    )


def test_of_a_spec_only_what_was_asked_is_kept() -> None:
    spec = JobSpec(messages=(say("user", "q"),), policy="sequential", seed=7)
    assert spec_to_json(spec).keys() == {"messages", "policy", "seed"}


def test_a_length_that_nobody_named_is_not_the_first_releases_default() -> None:
    """A spec that says nothing was written when that meant 512: its replay must come to the same."""
    unlimited = JobSpec(messages=(), policy="sequential", sampling=Sampling(max_tokens=None))
    assert spec_from_json(spec_to_json(unlimited)).sampling.max_tokens is None
    assert spec_from_json({"messages": [], "policy": "sequential"}).sampling.max_tokens == 512


OLDER = {
    "SegmentFinished": '{"segment":1,"attempt":1,"decoded":{"text":"w","finish":"eos","extra":{"cost":0.5}}}',
    "BudgetExceeded": '{"resource":"seconds","limit":60.0,"spent":48.0}',
    "JobSubmitted": '{"spec":{"messages":[],"policy":"sequential","lineage":{"job":"j","branch":"0.1","output":""}},'
    '"policy_version":"v"}',
}


@pytest.mark.parametrize(("kind", "payload"), OLDER.items(), ids=OLDER)
def test_an_older_journal_is_written_again_as_it_was_hashed(kind: str, payload: str) -> None:
    assert encode(decode(kind, "0", json.loads(payload))).payload == payload


def test_what_no_database_holds_is_replaced_letter_by_letter() -> None:
    stored = encode(TextPosted(text="a\x00b\ud800c\U0001f600"))
    assert stored.event == TextPosted(text="a\ufffdb\ufffdc\U0001f600")
    assert json.loads(stored.payload) == {"text": "a\ufffdb\ufffdc\U0001f600"}


def test_an_escape_that_only_looks_like_nul_is_kept() -> None:
    assert encode(TextPosted(text=r"\u0000")).event == TextPosted(text=r"\u0000")


def test_the_order_of_keys_is_kept_since_a_replay_may_depend_on_it() -> None:
    scores = {BranchId("0.2"): 0.5, BranchId("0.1"): 0.5}
    stored = encode(BranchScored(scores=scores, by="policy"))
    assert list(json.loads(stored.payload)["scores"]) == list(scores)


def test_numbers_that_are_not_finite_are_numbers_again_when_read() -> None:
    event = BranchScored(scores={BranchId("0.1"): float("-inf"), BranchId("0.2"): 0.5}, by="verifier")
    assert decode("BranchScored", "0", json.loads(encode(event).payload)) == event


def test_a_journal_of_a_newer_release_is_refused() -> None:
    with pytest.raises(UnreadableFormat, match="to the newer release that wrote it"):
        decode("TextPosted", "0", {FORMAT_KEY: FORMAT + 1, "text": "?"})


def test_a_word_for_a_cause_that_this_release_does_not_know_stays_readable() -> None:
    payload = {
        "segment": 1,
        "attempt": 1,
        "decoded": {"text": "", "finish": "error", "fault": {"cause": "cosmic-ray"}},
    }
    event = decode("SegmentFinished", "0", payload)
    assert isinstance(event, e.SegmentFinished)
    assert event.decoded.fault == Fault(cause="cosmic-ray")
    assert json.loads(encode(event).payload) == payload
    rejected = decode("ForkRejected", "0", {"reason": "budget:patience"})
    assert rejected == ForkRejected(reason="budget:patience")


def test_a_cause_is_written_as_its_word() -> None:
    fault = Fault(cause=Cause.PROMPT_TOO_LONG, retryable=False)
    event = SegmentFinished(segment=1, attempt=1, decoded=Decoded(text="", finish=Finish.ERROR, fault=fault))
    stored = json.loads(encode(event).payload)
    assert stored["decoded"]["fault"] == {"cause": "prompt-too-long", "retryable": False}
    assert decode("SegmentFinished", "0", stored) == event


def test_a_kind_of_a_newer_release_is_refused() -> None:
    with pytest.raises(UnreadableFormat, match=r"of the kind 'BranchRested'.* Upgrade this one"):
        decode("BranchRested", "0", {})


LATER = {"text": "?", "mood": {"calm": True}}


def test_a_field_of_a_newer_release_is_refused_by_who_acts_on_it_and_left_out_by_who_shows_it() -> None:
    with pytest.raises(UnreadableFormat, match="an event TextPosted whose mood this release does not know"):
        decode("TextPosted", "0", LATER)
    assert decode_known("TextPosted", "0", LATER) == TextPosted(text="?")
    with pytest.raises(UnreadableFormat, match="an event TextPosted whose mood this"):
        decode("TextPosted", "0", {**LATER, "weather": "mild"})
    inner = {"segment": 1, "attempt": 1, "decoded": {"text": "", "finish": "eos", "mood": 1}}
    with pytest.raises(UnreadableFormat, match=r"decoded\.mood"):
        decode("SegmentFinished", "0", inner)
    assert isinstance(decode_known("SegmentFinished", "0", inner), SegmentFinished)


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("BranchRested", {"for": "a while", "ö": [1.0, None]}),
        ("TextPosted", {"text": ["no", "text"]}),
        ("TextPosted", {FORMAT_KEY: FORMAT + 1, "text": "?"}),
        ("SegmentFinished", {"segment": 1, "attempt": 1, "decoded": {"text": "", "finish": "asleep"}}),
    ],
)
def test_what_only_a_newer_release_can_read_is_passed_on_as_it_stands(kind: str, payload: Any) -> None:
    with pytest.raises(UnreadableFormat):
        decode(kind, "0.1", payload)
    passed = decode_known(kind, "0.1", payload)
    assert type(passed) not in KINDS.values()
    assert (kind_of(passed), passed.branch, json.loads(encode(passed).payload)) == (kind, "0.1", payload)


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("format-*.jsonl")), ids=lambda file: file.stem)
def test_what_any_release_wrote_is_read_for_ever(file: Path) -> None:
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [decode(line["kind"], line["branch"], line["payload"]) for line in lines] == list(EVENTS)


def test_what_this_release_writes_is_on_record() -> None:
    lines = (GOLDEN / f"format-{FORMAT}.jsonl").read_text(encoding="utf-8").splitlines()
    assert lines == [golden_line(event) for event in EVENTS], "a changed payload needs a new FORMAT"


def golden_line(event: Event) -> str:
    stored = encode(event)
    return f'{{"kind":"{stored.kind}","branch":"{event.branch}","payload":{stored.payload}}}'


def test_every_kind_is_on_record() -> None:
    assert {type(event).__name__ for event in EVENTS} == set(KINDS)
