"""Frames of another release: what it adds is passed over, what it does not know yet has its default."""

import json
from typing import Any

import pytest

from anabranch.dag.ids import BranchId, JobId
from anabranch.service.link.frames import Down, TextNews, Texts, Up
from anabranch.workers.pool.protocol import PoolLoad

JOB = JobId("j")
NEWS = TextNews(
    job=JOB,
    branch=BranchId("0.1"),
    segment=2,
    since=7,
    final=True,
    thought_at=0,
    thought="hm",
    at=3,
    text="so",
    tokens=9,
    reasoning_tokens=4,
)
UP = Up(
    seqs={JOB: 5},
    texts=(NEWS,),
    ended={JOB: {BranchId("0.2"): 1}},
    load=PoolLoad(
        replicas=1,
        decoding=2,
        capacity=3,
        waiting=1,
        cluster="c0ffee",
        pools={
            "small": PoolLoad(replicas=1, decoding=1, capacity=3),
            "big": PoolLoad(replicas=0, decoding=1, capacity=0, waiting=1, state="starting a replica"),
        },
    ),
)
DOWN = Down(nudge=frozenset({JOB}), follow={JOB: Texts.ALL}, unfollow=frozenset({JobId("k")}))


def newer(frame: str, **told: Any) -> str:
    """The same frame as a later release writes it: with a key more, and a field more in each list."""
    fields = json.loads(frame) | told
    fields["texts"] = [[*text, {"mood": "calm"}] for text in fields.get("texts", ())]
    if "load" in fields:
        fields["load"] = [*fields["load"], {"small": 3}]
    return json.dumps(fields)


def test_frames_are_read_as_they_were_written() -> None:
    assert Up.read(UP.write()) == UP
    assert Down.read(DOWN.write()) == DOWN


def test_what_a_newer_release_adds_is_passed_over() -> None:
    assert Up.read(newer(UP.write(), weather=["rain"])) == UP
    assert Down.read(newer(DOWN.write(), weather={"j": 1})) == DOWN


def test_a_level_of_text_that_only_a_newer_release_knows_is_all_that_this_one_has() -> None:
    asked = json.loads(DOWN.write()) | {"follow": {JOB: max(Texts) + 1}}
    assert Down.read(json.dumps(asked)).follow == {JOB: Texts.ALL}


def test_an_older_release_does_not_tell_the_fields_that_came_later() -> None:
    told = json.loads(UP.write())
    told["texts"] = [text[:-2] for text in told["texts"]]
    told["load"] = told["load"][:3]
    del told["pools"]
    up = Up.read(json.dumps(told))
    (read,) = up.texts
    assert (read.text, read.tokens, read.reasoning_tokens) == ("so", 0, 0)
    assert up.load == PoolLoad(replicas=1, decoding=2, capacity=3)
    assert Down.read("{}") == Down()


@pytest.mark.parametrize(
    "told", [[3], {"texts": [["j"]]}, {"load": [1]}, {"seqs": 3, "texts": 4}, {"texts": [3]}]
)
def test_what_lacks_a_field_that_was_always_there_is_no_frame(told: object) -> None:
    with pytest.raises((ValueError, TypeError, LookupError)):
        Up.read(json.dumps(told))
