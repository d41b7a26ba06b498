"""The replica measures how sure a model is, and stops it when it is too unsure; what that saves, counted in tokens."""

import asyncio
import random
from collections.abc import Mapping

import pytest
from tests.workers.conftest import make_request

from anabranch.dag import events as e
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.commands import Decode
from anabranch.dag.decoding import Decoded, Finish
from anabranch.dag.decoding.confidence import Confidence, ConfidenceRule
from anabranch.dag.ids import JobId
from anabranch.dag.job import JobSpec
from anabranch.dag.journal.replay import replay
from anabranch.dag.simulator import Simulation
from anabranch.dag.text import say
from anabranch.workers.engines.script import Line
from anabranch.workers.engines.scripted import ScriptedEngine
from anabranch.workers.messages import DecodeRequest, Key, Message, SegmentDone
from anabranch.workers.replica.admission import Admission
from anabranch.workers.replica.decode_task import DecodeTask

RULE = ConfidenceRule(likeliest=1, group=2, least=5.0)
WAVERS = Line(text="one two three four five", confidence=(9, 7, 4, 1, 9))


def run(request: DecodeRequest, line: Line, chunk_tokens: int = 1) -> Decoded:
    """What a replica reports of one decode."""
    heard: list[Message] = []

    async def decode() -> None:
        engine = ScriptedEngine(lambda _: line, chunk_tokens=chunk_tokens)
        await DecodeTask(request, heard.append, engine=engine, admission=Admission(1), replica="r").run()

    asyncio.run(decode())
    [done] = [message for message in heard if isinstance(message, SegmentDone)]
    return done.decoded


def test_a_decode_ends_where_the_model_is_too_unsure() -> None:
    """Groups 8, 5.5, 2.5: it ends behind the fourth token, and what was measured goes with it."""
    decoded = run(make_request(confidence=RULE), WAVERS)
    assert (decoded.text, decoded.finish) == ("one two three four ", Finish.UNSURE)
    assert decoded.usage.completion_tokens == 4
    assert decoded.confidence == Confidence(mean=5.25, lowest=2.5, tokens=4)


def test_it_is_at_most_one_chunk_late() -> None:
    decoded = run(
        make_request(confidence=RULE), Line(text="a b c d e f g", confidence=(9, 1)), chunk_tokens=4
    )
    assert (decoded.text, decoded.finish) == ("a b c d ", Finish.UNSURE)
    assert decoded.usage.completion_tokens == 4


def test_without_a_least_it_only_measures() -> None:
    decoded = run(make_request(confidence=ConfidenceRule(likeliest=1, group=2)), WAVERS)
    assert (decoded.finish, decoded.confidence) == (Finish.EOS, Confidence(mean=6.0, lowest=2.5, tokens=5))


@pytest.mark.parametrize(("asked", "likeliest"), [(None, None), (0, 0), (1, 1)])
def test_the_owner_is_told_the_likelihoods_that_he_asked_for(
    asked: int | None, likeliest: int | None
) -> None:
    """Measuring needs more of them than the journal keeps."""
    decoded = run(make_request(confidence=RULE, logprobs=asked), WAVERS)
    assert decoded.confidence is not None
    assert [len(token.top) for token in decoded.token_logprobs] == [likeliest] * (0 if asked is None else 4)


def test_an_engine_that_tells_nothing_is_not_measured() -> None:
    decoded = run(make_request(confidence=RULE), Line(text="a b c"))
    assert (decoded.finish, decoded.confidence) == (Finish.EOS, None)


# -- what it saves -----------------------------------------------------------------------------------------------------


def simulated(policy: str, params: Mapping[str, object], lines: Mapping[str, Line]) -> Simulation:
    """A job whose decodes are run by a replica with the scripted engine."""

    def write(decode: Decode) -> Decoded:
        key = Key(job=JobId("job"), branch=decode.branch, segment=decode.segment)
        request = DecodeRequest(
            key=key, context=decode.context, decoding=decode.decoding, seed=decode.seed, model=decode.model
        )
        return run(request, lines[decode.branch], chunk_tokens=4)

    spec = JobSpec(messages=(say("user", "What is due?"),), policy=policy, params=params)
    simulation = Simulation(spec, write)
    simulation.run()
    assert replay(simulation.records).over
    return simulation


def question(drawn: random.Random, traces: int) -> dict[str, Line]:
    """Traces of one question: the right answer is 42. One that goes wrong wavers, mostly; a right one, seldom."""
    right = drawn.uniform(0.55, 0.9)
    lines = {}
    for number in range(1, traces + 1):
        tokens = drawn.randint(60, 120)
        is_right = drawn.random() < right
        wavers = drawn.random() < (0.15 if is_right else 0.7)
        sure = [drawn.gauss(12, 1.5) for _ in range(tokens)]
        if wavers:
            begin = drawn.randint(10, tokens // 2)
            sure[begin : begin + 24] = [drawn.gauss(6, 1.5) for _ in range(24)]
        said = "42" if is_right else str(drawn.randint(43, 47))
        text = " ".join(["word"] * (tokens - 1) + [f"\\boxed{{{said}}}"])
        lines[f"0.{number}"] = Line(text=text, confidence=tuple(max(0.1, each) for each in sure))
    return lines


def tokens_and_answer(simulation: Simulation) -> tuple[int, str]:
    [answered] = [r.event for r in simulation.records if isinstance(r.event, e.AnswerCommitted)]
    return measure(simulation.records).total_tokens, answered.text


def test_it_saves_a_third_of_the_tokens_at_equal_answers() -> None:
    """Five sets of six questions with known answers, the same traces for both, groups as short as these texts. (With
    the paper's 0.9 in place of the half that is kept it saves 16 to 42 % of these, with its 0.1 three quarters, and one
    answer in ten.)"""
    ours = {"n": 32, "warmup": 8, "keep": 0.5, "group": 16, "likeliest": 1}
    for seed in range(5):
        drawn = random.Random(seed)
        spent, equal = {"all": 0, "deep-conf": 0}, 0
        for _ in range(6):
            lines = question(drawn, 32)
            whole, voted = tokens_and_answer(simulated("self-consistency", {"n": 32, "stop": "all"}, lines))
            less, confident = tokens_and_answer(simulated("deep-conf", ours, lines))
            spent["all"] += whole
            spent["deep-conf"] += less
            equal += confident == voted == "42"
        assert spent["deep-conf"] <= 0.7 * spent["all"], (seed, spent)
        assert equal == 6, seed
