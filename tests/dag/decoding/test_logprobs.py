"""Tokens and the text that stands in them; which decodes are asked for logprobs; how a journal keeps them."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.dag.conftest import Simulate

from anabranch.dag import actions as a
from anabranch.dag.commands import Decode
from anabranch.dag.decoding import Decoded, Finish
from anabranch.dag.decoding.logprobs import Likelihood, TokenLogprob, covering, rounded
from anabranch.dag.events import SegmentFinished
from anabranch.dag.job import AnswerFormat, JobSpec, Problem
from anabranch.dag.policy import catalogue
from anabranch.dag.text import say
from anabranch.service.store.codec import decode, encode, spec_from_json, spec_to_json


def tokens(*written: str | bytes) -> tuple[TokenLogprob, ...]:
    return tuple(
        TokenLogprob(token=each, logprob=-1.0)
        if isinstance(each, str)
        else TokenLogprob(token="\ufffd", logprob=-1.0, raw=tuple(each))
        for each in written
    )


def written(told: tuple[TokenLogprob, ...]) -> list[str]:
    return [token.token for token in told]


@given(
    st.lists(st.text(alphabet="ab é🌊", max_size=4), max_size=6),
    st.lists(st.text(alphabet="ab é🌊", min_size=1, max_size=4), min_size=1, max_size=6),
    st.sampled_from(["", "<|im_end|>"]),
)
def test_the_tokens_of_a_text_are_those_behind_its_thought(
    thought: list[str], text: list[str], ending: str
) -> None:
    told = covering(tokens(*thought, "</think>", *text, ending), "".join(text))
    assert written(told) == text


@given(st.text(alphabet="ab é🌊", min_size=1, max_size=9), st.data())
def test_a_part_of_a_text_stands_in_the_tokens_that_touch_it(text: str, data: st.DataObject) -> None:
    raw = text.encode()
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(raw) - 1)))))
    pieces = [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    begin = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(begin + 1, len(text)))
    joined = b"".join(token.written for token in covering(tokens(*filter(None, pieces)), text, begin, end))
    assert text[begin:end].encode() in joined
    assert joined in raw


@pytest.mark.parametrize(
    ("decoded", "text", "told"),
    [
        (("a", "<|endoftext|>"), "a", ["a"]),
        (("end", "<|im_end|>"), "end", ["end"]),
        (("so ", "it is", " 4 END now"), "so it is 4 END", ["so ", "it is", " 4 END now"]),
        (("\n\nYes", ".", ""), "Yes.", ["\n\nYes", "."]),
        (("", "", "é", "t"), "ét", ["é", "t"]),
        (("one ", "three"), "one two three", []),
        ((), "one", []),
        (("one",), "", []),
    ],
)
def test_a_text_is_found_whole_or_not_at_all(decoded: tuple[str, ...], text: str, told: list[str]) -> None:
    assert written(covering(tokens(*decoded), text)) == told


@pytest.mark.parametrize(
    ("told", "kept"), [(-0.12345678, -0.123457), (0.001, 0.0), (-math.inf, -9999.0), (math.inf, 0.0)]
)
def test_a_logprob_is_kept_as_json_can_hold_it(told: float, kept: float) -> None:
    assert rounded(told) == kept


def test_what_is_no_number_is_no_logprob() -> None:
    with pytest.raises(ValueError, match="number"):
        rounded(math.nan)


@pytest.mark.parametrize("name", sorted(name for name, info in catalogue().items() if info.marks_answer))
def test_only_decodes_of_the_answer_are_asked_for_them(name: str, simulate: Simulate) -> None:
    asked: dict[bool, list[int | None]] = {True: [], False: []}

    def write(decode: Decode) -> str:
        asked[decode.decoding.purpose != "work"].append(decode.decoding.logprobs)
        return "It is \\boxed{7}."

    simulate(name, write, answer_format=AnswerFormat(logprobs=3))
    assert set(asked[True]) == {3}
    assert set(asked[False]) <= {None}


def test_a_nested_jobs_answer_is_not_the_jobs(simulate: Simulate) -> None:
    def nests(problem: Problem) -> a.Policy:
        forked: a.Forked = yield a.Fork(
            children=(a.SubJob(policy="sequential", messages=(say("user", "?"),)),)
        )
        yield a.Join(targets=forked.branches)
        return a.Answer(text="done")

    asked: list[int | None] = []

    def write(decode: Decode) -> str:
        asked.append(decode.decoding.logprobs)
        return "It is 7."

    simulate(nests, write, answer_format=AnswerFormat(logprobs=3))
    assert asked == [None]


def test_a_journal_keeps_them_as_they_are_and_is_silent_without() -> None:
    likeliest = (
        Likelihood(token="Yes", logprob=-0.25),
        Likelihood(token="\ufffd", logprob=-2.0, raw=(226, 152)),
    )
    told = (
        TokenLogprob(token="Yes", logprob=-0.25, top=likeliest),
        TokenLogprob(token="\ud83c", logprob=-1.0),
    )
    event = SegmentFinished(
        segment=1, attempt=1, decoded=Decoded(text="Yes", finish=Finish.EOS, token_logprobs=told[:1])
    )
    stored = encode(event)
    assert decode(stored.kind, event.branch, json.loads(stored.payload)) == event
    assert '"token": "Yes"' in stored.payload or '"token":"Yes"' in stored.payload
    without = encode(SegmentFinished(segment=1, attempt=1, decoded=Decoded(text="Yes", finish=Finish.EOS)))
    assert "logprob" not in without.payload
    half = encode(
        SegmentFinished(
            segment=1, attempt=1, decoded=Decoded(text="", finish=Finish.EOS, token_logprobs=told)
        )
    )
    assert decode(half.kind, half.event.branch, json.loads(half.payload)) == half.event


def test_a_spec_says_what_is_asked_only_where_it_is() -> None:
    spec = JobSpec(messages=(say("user", "?"),), policy="sequential")
    asked = JobSpec(messages=spec.messages, policy=spec.policy, answer_format=AnswerFormat(logprobs=0))
    assert "answer_format" not in spec_to_json(spec)
    assert spec_to_json(asked)["answer_format"] == {"logprobs": 0}
    assert spec_from_json(spec_to_json(asked)) == asked
