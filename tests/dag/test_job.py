"""What a job asks of every decode, and what its policy asks goes first."""

from dataclasses import replace

import pytest

from anabranch.dag.decoding import Decoding, Purpose, Structure, Thinking
from anabranch.dag.job import Sampling


@pytest.mark.parametrize(
    ("policy", "job", "asked"),
    [
        (Decoding(), Sampling(max_tokens=None), (None, None, None)),
        (Decoding(), Sampling(temperature=0.5, top_p=0.9, max_tokens=99), (0.5, 0.9, 99)),
        (Decoding(temperature=0.0), Sampling(temperature=2.0, max_tokens=99), (0.0, None, 99)),
        (Decoding(top_p=0.1, max_tokens=7), Sampling(top_p=0.9, max_tokens=99), (None, 0.1, 7)),
        (Decoding(max_tokens=7), Sampling(max_tokens=None), (None, None, 7)),
    ],
)
def test_what_the_policy_asks_goes_before_what_the_job_asks(
    policy: Decoding, job: Sampling, asked: tuple[float | None, float | None, int | None]
) -> None:
    complete = job.complete(policy)
    assert (complete.temperature, complete.top_p, complete.max_tokens) == asked


def test_all_else_of_a_decoding_is_the_policys() -> None:
    said = Decoding(stop=("x",), grammar="apr", temperature=0.1, top_p=0.2, max_tokens=3)
    decoding = replace(said, thinking=Thinking.OFF, thinking_tokens=9)
    assert Sampling(thinking=Thinking.ON, thinking_tokens=1).complete(decoding) == decoding


def test_a_job_says_how_its_decodes_think_where_the_policy_does_not() -> None:
    complete = Sampling(thinking=Thinking.ON, thinking_tokens=64).complete(Decoding())
    assert (complete.thinking, complete.thinking_tokens) == (Thinking.ON, 64)


def test_a_form_whose_length_a_policy_names_is_written_without_a_thought() -> None:
    sampling = Sampling(thinking=Thinking.ON, max_tokens=900)
    form = Structure(choice=("1", "2"))
    assert sampling.complete(Decoding(structure=form, max_tokens=8)).thinking is Thinking.OFF
    assert sampling.complete(Decoding(structure=form)).thinking is Thinking.ON
    assert sampling.complete(Decoding(max_tokens=8)).thinking is Thinking.ON
    answer = Decoding(structure=form, max_tokens=800, purpose=Purpose.ANSWER)  # as the job's owner wants it
    assert sampling.complete(answer).thinking is Thinking.ON
    own = Decoding(structure=form, max_tokens=800, thinking=Thinking.AUTO)
    assert sampling.complete(own).thinking is Thinking.AUTO
