"""The OpenAI engine against a real HTTP server that does what upstreams do: what is asked, what is read."""

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.workers.conftest import Connect, RequestFor, usage_of
from tests.workers.engines.misbehaviours import PAGE, raw, refuses
from tests.workers.engines.upstream import Answer, Upstream, decoded, fault_of, one_by_one, spent, text_in

from anabranch.dag.decoding import Draw, Finish, Purpose, Structure, Usage
from anabranch.dag.text import Context
from anabranch.workers.engines.openai.settings import OpenAISettings
from anabranch.workers.engines.openai.upstream import UNKNOWN_MODEL_LEN, served_by
from anabranch.workers.errors import ModelUnavailable

# -- what is served


@pytest.mark.parametrize(
    ("url", "vllm", "provider", "port"),
    [
        ("https://api.openai.com/v1", False, "openai", 443),
        ("https://eu.api.openai.com./v1", False, "openai", 443),
        ("http://someone:secret@gateway.example:8080/v1", False, "gateway.example", 8080),
        ("https://openai.com.example/v1", False, "openai.com.example", 443),
        ("http://127.0.0.1:8000/v1", True, "vllm", 8000),
    ],
)
def test_only_openais_own_hosts_are_openai(url: str, vllm: bool, provider: str, port: int) -> None:
    served = served_by(url, vllm=vllm)
    assert (served.provider, served.port) == (provider, port)
    assert "secret" not in repr(served)


async def test_the_model_that_answers_is_the_one_that_the_upstream_names(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.models = ("an-alias",)
    engine = connect()
    assert (engine.capabilities.served.host, engine.capabilities.served.model) == ("127.0.0.1", "")
    chunks = await decoded(engine, request_for())
    assert upstream.asked[0]["model"] == "an-alias"
    assert {chunk.model for chunk in chunks} == {"some-model"}


def test_it_takes_the_first_model_that_the_upstream_lists(upstream: Upstream, connect: Connect) -> None:
    upstream.models = ("first", "second")
    assert connect().capabilities.model == "first"
    assert connect(model="second").capabilities.model == "second"


@pytest.mark.parametrize("name", ["max_model_len", "context_length", "context_window"])
def test_it_knows_the_model_length_by_any_of_its_names(
    upstream: Upstream, connect: Connect, name: str
) -> None:
    assert connect().capabilities.max_model_len == UNKNOWN_MODEL_LEN
    upstream.card = {name: 4096}
    assert connect().capabilities.max_model_len == 4096
    assert connect(max_model_len=1000).capabilities.max_model_len == 1000


def test_an_upstream_that_lists_nothing_needs_the_models_name(upstream: Upstream, connect: Connect) -> None:
    upstream.models = ()
    with pytest.raises(ModelUnavailable, match="serves no model at present"):
        connect()
    upstream.listing = 404
    with pytest.raises(ModelUnavailable, match=r"lists no models \(does the URL lack /v1\?\)"):
        connect()
    assert connect(model="known-to-work").capabilities.model == "known-to-work"


@pytest.mark.parametrize(
    "listing",
    [
        {"data": [{"id": "first", "max_model_len": 4096}, {"id": "second"}]},
        [{"id": "first", "context_length": 4096}],
        {"models": [{"name": "first", "context_window": 4096}]},
        {"data": [None, 7, {}, {"id": ""}, {"id": "first", "max_model_len": 4096}]},
    ],
)
def test_it_reads_lists_of_any_form(upstream: Upstream, connect: Connect, listing: Any) -> None:
    upstream.listed = raw(json.dumps(listing).encode())
    told = connect().capabilities
    assert (told.model, told.max_model_len) == ("first", 4096)


@pytest.mark.parametrize("length", [None, "4096", 0, -1, True, 3.5])
def test_a_length_that_makes_no_sense_is_none(
    upstream: Upstream, connect: Connect, length: bool | float | str | None
) -> None:
    upstream.card = {"max_model_len": length}
    assert connect().capabilities.max_model_len == UNKNOWN_MODEL_LEN


@pytest.mark.parametrize(
    ("listed", "told"),
    [
        (raw(PAGE), r"Welcome to nginx!.*does the URL lack /v1\?"),
        (refuses(502, PAGE), "HTTP 502: <!DOCTYPE html>"),
        (refuses(401, {"error": {"message": "no such key"}}), "HTTP 401: no such key"),
        (raw(b"[[[["), r"no JSON but: \[\[\[\["),
        (raw(b'{"data": null}'), "serves no model at present"),
        (raw(b'"models"'), "serves no model at present"),
        (Answer(pieces=(b'{"data"',), then="cut"), "does not answer"),
    ],
)
def test_a_list_that_is_none_is_told_in_words(
    upstream: Upstream, connect: Connect, listed: Answer, told: str
) -> None:
    upstream.listed = listed
    with pytest.raises(ModelUnavailable, match=told):
        connect()


@pytest.mark.parametrize("status", [403, 404, 405, 501])
def test_a_model_that_is_named_needs_no_list(upstream: Upstream, connect: Connect, status: int) -> None:
    upstream.listed = refuses(status, b"")
    assert connect(model="known-to-work").capabilities.model == "known-to-work"


def test_the_key_is_nowhere_to_be_read() -> None:
    assert "secret" not in repr(OpenAISettings(base_url="http://host/v1", api_key="secret"))


# -- what is asked


async def test_it_asks_what_the_request_says(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    request = request_for(prompt="2+2?", temperature=0.5, stop=("END",), max_tokens=9)
    await decoded(connect(api_key="mine"), replace(request, seed=2**63 + 3, model="other"))

    assert upstream.asked == [
        {
            "model": "other",
            "messages": [{"role": "user", "content": "2+2?"}],
            "max_tokens": 9,
            "seed": 3,
            "temperature": 0.5,
            "stop": ["END"],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ]
    assert upstream.keys == ["Bearer mine"]


async def test_it_never_asks_for_more_than_the_model_takes(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.card = {"max_model_len": 1024}  # vLLM refuses what is beyond
    await decoded(connect(), request_for(max_tokens=5000))
    assert upstream.asked[0]["max_tokens"] == 1024


async def test_a_length_that_nobody_named_is_left_to_the_upstream(
    connect: Connect, upstream: Upstream, request_for: RequestFor
) -> None:
    await decoded(connect(), request_for(max_tokens=None))
    assert "max_tokens" not in upstream.asked[0]


async def test_without_a_key_it_never_sends_somebody_elses(
    upstream: Upstream, connect: Connect, request_for: RequestFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-for-another-host")
    await decoded(connect(), request_for())
    assert upstream.keys == ["Bearer none"]


async def test_a_begun_turn_is_the_last_message(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    begun = replace(request_for(), context=Context((("user", "2+2?"),), "It is"))
    await decoded(connect(), begun)
    upstream.owned_by = "vllm"
    await decoded(connect(), begun)

    plain, to_vllm = upstream.asked
    assert plain["messages"][-1] == to_vllm["messages"][-1] == {"role": "assistant", "content": "It is"}
    assert "continue_final_message" not in plain
    assert to_vllm["continue_final_message"] is True
    assert to_vllm["add_generation_prompt"] is False


async def test_a_schema_is_the_protocols_own(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    await decoded(connect(), request_for(structure=Structure(json_schema=schema)))
    assert upstream.asked[0]["response_format"]["json_schema"] == {"name": "answer", "schema": schema}


async def test_a_strict_schema_is_asked_for_as_such(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    await decoded(connect(), request_for(structure=Structure(json_schema=schema, strict=True)))
    assert upstream.asked[0]["response_format"]["json_schema"]["strict"] is True


async def test_any_object_is_asked_for_by_the_word_that_more_upstreams_know(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    await decoded(connect(), request_for(structure=Structure(json_schema={"type": "object"})))
    assert upstream.asked[0]["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize(
    ("structure", "in_vllms_words"),
    [
        (Structure(regex="[0-9]+"), {"regex": "[0-9]+"}),
        (Structure(choice=("yes", "no")), {"choice": ["yes", "no"]}),
    ],
)
@pytest.mark.parametrize("purpose", [Purpose.CANDIDATE, Purpose.ANSWER])
async def test_other_forms_of_the_answer_are_asked_of_vllm_and_refused_elsewhere(
    upstream: Upstream,
    connect: Connect,
    request_for: RequestFor,
    structure: Structure,
    in_vllms_words: dict[str, object],
    purpose: Purpose,
) -> None:
    fault = await fault_of(connect(), request_for(structure=structure, purpose=purpose))
    assert (fault.cause, fault.retryable, upstream.asked) == ("refused", False, [])

    upstream.owned_by = "vllm"
    await decoded(connect(), request_for(structure=structure, purpose=purpose))
    assert upstream.asked[0]["structured_outputs"] == in_vllms_words


@pytest.mark.parametrize("structure", [Structure(regex="[0-9]+"), Structure(choice=("7", "8"))])
async def test_a_policys_own_pattern_or_choice_is_left_to_its_prompt(
    upstream: Upstream, connect: Connect, request_for: RequestFor, structure: Structure
) -> None:
    upstream.pieces = ("7", ", it is right.")
    chunks = await decoded(connect(), request_for(structure=structure, max_tokens=8))
    assert text_in(chunks) == "7, it is right."
    assert not {"response_format", "structured_outputs"} & upstream.asked[0].keys()


async def test_a_policys_own_schema_is_asked_for(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    schema = {"type": "array"}
    await decoded(connect(), request_for(structure=Structure(json_schema=schema)))
    assert upstream.asked[0]["response_format"]["json_schema"]["schema"] == schema


async def test_a_raw_prompt_is_refused(connect: Connect, request_for: RequestFor) -> None:
    engine = connect()
    fault = await fault_of(engine, replace(request_for(), context=Context((), "raw")))
    assert (fault.cause, fault.retryable) == ("refused", False)
    assert not engine.capabilities.raw_prompts


# -- what is read


async def test_text_comes_as_it_is_decoded_and_the_count_is_the_upstreams(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.usage = spent(prompt=11, completion=7, cached=4)
    chunks = await one_by_one(upstream, connect(), request_for())

    last = chunks.pop()
    assert [(chunk.text, chunk.tokens, chunk.finish) for chunk in chunks] == [
        ("The ", 1, None),
        ("answer ", 2, None),
        ("is 4.", 3, None),
    ]
    assert (last.text, last.tokens, last.finish) == ("", 7, Finish.EOS)
    assert last.usage == Usage(prompt_tokens=11, cached_tokens=4, completion_tokens=7)
    assert not last.usage_estimated


async def test_what_comes_at_once_is_one_chunk(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    all_events = "".join(f"data: {json.dumps(each)}\n\n" for each in upstream.events())
    upstream.answer = Answer(pieces=(all_events.encode(),))
    *chunks, last = await decoded(connect(), request_for())

    assert [(chunk.text, chunk.tokens) for chunk in chunks] == [("The answer is 4.", 3)]
    assert (last.text, last.finish) == ("", Finish.EOS)


async def test_vllm_counts_all_along(upstream: Upstream, connect: Connect, request_for: RequestFor) -> None:
    upstream.owned_by, upstream.usage_all_along, upstream.usage = "vllm", True, spent(completion=7)
    chunks = await one_by_one(upstream, connect(), request_for())

    assert upstream.asked[0]["stream_options"]["continuous_usage_stats"] is True
    assert [chunk.tokens for chunk in chunks] == [2, 4, 6, 7]
    assert usage_of(chunks[0]).prompt_tokens == 11


async def test_an_upstream_that_counts_nothing_is_estimated_and_says_so(
    connect: Connect, request_for: RequestFor
) -> None:
    last = (await decoded(connect(), request_for()))[-1]
    assert last.usage == Usage(completion_tokens=3)
    assert last.usage_estimated


async def test_a_stop_string_is_put_back_where_the_upstream_names_it(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.pieces, upstream.stop_reason = ("<answer>4",), "</answer>"
    chunks = await decoded(connect(), request_for(stop=("</answer>",)))
    assert (text_in(chunks), chunks[-1].finish) == ("<answer>4</answer>", Finish.STOP)


@pytest.mark.parametrize("told", ["end_turn", "<|im_end|>", "repetition_detected", "</ANSWER>"])
@pytest.mark.parametrize("stop", [(), ("</answer>",)])
async def test_what_was_not_asked_for_as_a_stop_string_is_none(
    upstream: Upstream, connect: Connect, request_for: RequestFor, told: str, stop: tuple[str, ...]
) -> None:
    upstream.stop_reason = told
    chunks = await decoded(connect(), request_for(stop=stop))
    assert (text_in(chunks), chunks[-1].finish) == ("The answer is 4.", Finish.EOS)


async def test_a_stop_string_that_the_upstream_left_in_is_not_doubled(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.pieces = ("<answer>4</ans", "wer>")
    for upstream.stop_reason in ("</answer>", None):
        chunks = await decoded(connect(), request_for(stop=("</answer>",)))
        assert (text_in(chunks), chunks[-1].finish) == ("<answer>4</answer>", Finish.STOP)


async def test_vllm_is_asked_for_special_tokens_and_to_leave_out_what_ends_the_text(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.owned_by = "vllm"
    await decoded(connect(), request_for())
    asked = upstream.asked[0]
    assert (asked["skip_special_tokens"], asked["spaces_between_special_tokens"]) == (False, False)
    assert asked["include_stop_str_in_output"] is False


@pytest.mark.parametrize("stop_reason", [None, 128009])
async def test_an_end_that_is_not_named_is_the_models_own(
    upstream: Upstream, connect: Connect, request_for: RequestFor, stop_reason: int | None
) -> None:
    upstream.stop_reason = stop_reason
    chunks = await decoded(connect(), request_for(stop=("</answer>",)))
    assert (text_in(chunks), chunks[-1].finish) == ("The answer is 4.", Finish.EOS)


async def test_a_text_cut_by_its_length_says_so(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.finish = "length"
    assert (await decoded(connect(), request_for()))[-1].finish is Finish.LENGTH


async def test_tokens_are_estimated_by_the_byte(connect: Connect) -> None:
    engine = connect()
    assert [await engine.count_tokens(text) for text in ("", "word", "words", "日本語")] == [0, 1, 2, 3]


async def test_what_shapes_the_draw_is_sent_and_left_out_where_it_is_unknown(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    drawn = request_for(draw=Draw(top_k=40, frequency_penalty=0.5))
    engine = connect()
    _ = [chunk async for chunk in engine.decode(drawn)]
    assert (upstream.asked[-1]["top_k"], upstream.asked[-1]["frequency_penalty"]) == (40, 0.5)
    assert not {"min_p", "presence_penalty", "repetition_penalty"} & upstream.asked[-1].keys()

    def refuse_once(asked: dict[str, Any]) -> Answer | None:
        if "top_k" not in asked:
            return None
        error = {"error": {"message": "Unrecognized request argument supplied: top_k"}}
        return Answer(status=400, pieces=(json.dumps(error).encode(),))

    upstream.answer = refuse_once
    _ = [chunk async for chunk in engine.decode(drawn)]
    assert "top_k" not in upstream.asked[-1]
    assert upstream.asked[-1]["frequency_penalty"] == 0.5


async def test_requests_that_share_a_prefix_say_so_to_a_router_behind_the_url(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    engine = connect()
    for branch, affinity in (("0.1", "job/0"), ("0.2", "job/0"), ("0.3", "job/0.3")):
        await decoded(engine, request_for(branch, affinity=affinity))
    first, second, third = (asked["x-session-id"] for asked in upstream.headers)
    assert first == second != third
    assert "job" not in first


@pytest.mark.parametrize(("header", "told"), [("X-Dynamo-Session-ID", ["x-dynamo-session-id"]), ("", [])])
async def test_the_operator_names_the_header_of_sessions(
    upstream: Upstream, connect: Connect, request_for: RequestFor, header: str, told: list[str]
) -> None:
    await decoded(connect(session_header=header), request_for("0", affinity="job/0"))
    assert [name for name in upstream.headers[0] if "session" in name] == told
