"""Samples for training: what each model was sent and what it decoded, with what that was worth."""

from dataclasses import replace

import pytest
from tests.dag.conftest import Simulate
from tests.service.conftest import Writing, hedged_vote, vote

from anabranch.dag import events as e
from anabranch.dag.decoding.kept import pack
from anabranch.dag.events import Record
from anabranch.dag.training.model_calls import model_calls
from anabranch.dag.training.samples import Reward, rl_sample, sft_samples, trajectory_samples

USER = {"role": "user", "content": "What is six times seven?"}


def test_each_call_is_a_sample_with_what_was_sent_and_decoded() -> None:
    first, second = sft_samples(vote().records, [Reward(by="math", score=1.0), Reward(by="Eve", score=0.5)])
    assert (first["branch"], second["branch"]) == ("0.1", "0.2")
    assert first["prompt"] == [USER]
    assert first["completion"] == [{"role": "assistant", "content": "42"}]
    assert (first["used"], first["finish"], first["policy"]) == (True, "eos", "self-consistency")
    assert (first["reward"], first["rewards"][1]) == (0.75, {"by": "Eve", "score": 0.5})
    assert (first["token_ids"], first["logprobs"]) == (None, None)


def test_a_tools_result_is_no_sample_of_a_model(simulate: Simulate) -> None:
    """Of retrieval the passages are read, and only what is written from them is decoded."""
    passages = '[{"text": "It is due on Monday."}]'
    simulation = simulate(
        "retrieval", lambda _: "Monday", params={"tools": ["files"]}, tool=lambda _: passages
    )
    tools = {record.event.child for record in simulation.records
             if isinstance(record.event, e.BranchForked) and record.event.tool}  # fmt: skip
    samples = list(sft_samples(simulation.records, ()))
    assert tools and tools.isdisjoint(sample["branch"] for sample in samples)
    assert all(sample["completion"] == [{"role": "assistant", "content": "Monday"}] for sample in samples)
    assert tools.isdisjoint(call["branch"] for call in rl_sample(simulation.records, ())["calls"])


def test_of_a_call_that_fails_behind_a_closed_tag_what_stands_is_read() -> None:
    """The tag's segment stays in the branch, and the next call goes on behind it; the text of the fault does not."""
    writing = Writing().submit().claim().start("0").finish("0", "<FORK-1>a</FORK-1>", open=True)
    writing.start("0", 2, continues=True).finish("0", "lost", segment=2, fault="replica-lost")
    assert [(call.segment, call.text) for call in model_calls(writing.records)] == [(1, "<FORK-1>a</FORK-1>")]


def kept(records: list[Record], branch: str, ids: list[int], logprobs: list[float]) -> list[Record]:
    """The journal, had the tokens of this branch's segments been kept."""

    def keep(record: Record) -> Record:
        match record.event:
            case e.SegmentFinished(branch=of, decoded=decoded) as event if of == branch:
                tokens = replace(decoded, kept=pack(ids, logprobs))
                return replace(record, event=replace(event, decoded=tokens))
            case _:
                return record

    return [keep(record) for record in records]


def test_kept_tokens_are_the_samples() -> None:
    records = kept(vote().records, "0.2", [5, 6, 7], [-0.5, -0.25, -1.0])
    first, second = model_calls(records)
    assert (first.token_ids, first.logprobs) == (None, None)
    assert (second.token_ids, second.logprobs) == ((5, 6, 7), (-0.5, -0.25, -1.0))


@pytest.mark.parametrize("winner", [0, 1])
def test_of_two_decodes_only_the_one_that_counts_is_a_sample(winner: int) -> None:
    records = hedged_vote(winner).records
    samples = list(sft_samples(records, ()))
    assert [sample["completion"][0]["content"] for sample in samples] == ["42", "42"]
    assert (samples[1]["token_ids"], samples[1]["finish"]) == ([5, 6], "eos")
    rollout = rl_sample(records, ())
    assert [(call["branch"], call["token_ids"]) for call in rollout["calls"]] == [
        ("0.1", None),
        ("0.2", [5, 6]),
    ]
    assert (rollout["critical_path_tokens"], rollout["total_tokens"]) == (30, 10 + 30 + 90)
    for written in (*samples, rollout, *trajectory_samples(records, ())):
        assert "wrong" not in str(written)


def test_a_stream_over_several_segments_is_one_call() -> None:
    written = Writing().submit(policy="async-think").claim()
    written.start("0").finish("0", "I fork. ", open=True).start("0", 2, continues=True).finish(
        "0", "42", segment=2
    )
    written.answer("42", "0")
    (call,) = model_calls(kept(written.records, "0", [1, 2], [-1.0, -2.0]))
    assert (call.text, call.token_ids, call.logprobs) == (
        "I fork. 42",
        (1, 2, 1, 2),
        (-1.0, -2.0, -1.0, -2.0),
    )
    assert call.used


def test_what_the_runtime_writes_is_prompt_and_never_completion() -> None:
    written = Writing().submit().claim().start("0").finish("0", "First: ")
    written.start("0", 2, inserted="[a result] ").finish("0", "42", segment=2).answer("42", "0")
    first, second = sft_samples(written.records, [])
    assert first["completion"] == [{"role": "assistant", "content": "First: "}]
    assert second["prompt"] == [USER, {"role": "assistant", "content": "First: [a result] "}]
    assert second["completion"] == [{"role": "assistant", "content": "42"}]
    assert second["reward"] is None


def test_what_nobody_used_says_so_and_what_failed_is_no_sample() -> None:
    written = Writing().submit().claim().fork("0.1", "0.2", "0.3")
    written.decode("0.1").decode("0.2").start("0.3").finish("0.3", "4", fault="engine-error")
    written.add(e.BranchFailed(branch=written.records[4].event.child, cause="engine-error", detail=""))  # type: ignore[union-attr]
    written.join("0.1").answer("42", "0.1")
    assert [(call.branch, call.used) for call in model_calls(written.records)] == [
        ("0.1", True),
        ("0.2", False),
    ]


def test_a_job_is_a_rollout_with_its_tree() -> None:
    sample = rl_sample(vote().records, [Reward(by="math", score=1.0)])
    assert (sample["reward"], sample["answer"]) == (1.0, "42")
    assert (sample["critical_path_tokens"], sample["total_tokens"]) == (30, 40)
    assert [(call["branch"], call["parent"]) for call in sample["calls"]] == [("0.1", "0"), ("0.2", "0")]
    assert sample["group"] == rl_sample(vote().records, [])["group"]


@pytest.mark.parametrize("other", ["What is six times eight?"])
def test_another_question_is_another_group(other: str) -> None:
    asked = Writing().submit(other).claim().decode("0").records
    assert rl_sample(asked, [])["group"] != rl_sample(vote().records, [])["group"]
