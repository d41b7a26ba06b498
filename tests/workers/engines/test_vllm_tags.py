"""vLLM with a checkpoint whose tokenizer registers the published tags as special tokens: what trained models need."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.workers import tagged_model as tagged
from tests.workers.conftest import Listener, RequestFor, tag_in, usage_of

from anabranch.dag.decoding import Finish, Structure, Thinking
from anabranch.dag.text import Context, Role
from anabranch.workers.engines.protocol import Chunk
from anabranch.workers.engines.thoughts import Marks
from anabranch.workers.engines.vllm.engine import VllmEngine
from anabranch.workers.engines.vllm.reasoning import reasoning_of
from anabranch.workers.engines.vllm.settings import VllmSettings
from anabranch.workers.errors import ModelUnavailable
from anabranch.workers.messages import DecodeRequest
from anabranch.workers.pool.local import LocalPool

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="session")]

CHAT: tuple[tuple[Role, str], ...] = (("user", "What is due?"),)
CLOSERS = tuple(f"</think{n}>" for n in range(1, 9))


def raw(prompt: str) -> Context:
    return Context((), prompt)


def begun(opening: str) -> Context:
    return Context(CHAT, opening)


def asked(request_for: RequestFor, context: Context, branch: str = "0", **decoding: object) -> DecodeRequest:
    return replace(request_for(branch, temperature=0.0, **decoding), context=context)


async def written(engine: VllmEngine, request: DecodeRequest) -> tuple[str, Chunk]:
    """The whole text, its last chunk, and the tokens of the prompt."""
    chunks = [chunk async for chunk in engine.decode(request)]
    return "".join(chunk.text for chunk in chunks), chunks[-1]


@pytest.mark.parametrize("tag", tagged.TAGS)
async def test_each_published_tag_is_one_token_and_is_seen_where_it_is_a_stop(
    tagged_engine: VllmEngine, tag: str
) -> None:
    tokenizer = tagged_engine._llm.get_tokenizer()
    assert tag in tokenizer.all_special_tokens
    assert await tagged_engine.count_tokens(tag) == 1
    assert await tagged_engine.count_tokens(f"so{tag}so") == 5


@pytest.mark.parametrize(
    ("opening", "text", "closer"),
    [("<think1>", " one way</think1>", "</think1>"), ("<think2>", " two</think3>", "</think3>")],
)
@pytest.mark.parametrize("context", [begun, raw])
async def test_a_path_stops_at_its_closer_and_at_any_others(
    tagged_engine: VllmEngine,
    request_for: RequestFor,
    context: Callable[[str], Context],
    opening: str,
    text: str,
    closer: str,
) -> None:
    """ParaThinker: vLLM does not see a stop string that its detokenizer skips."""
    found, last = await written(tagged_engine, asked(request_for, context(opening), stop=CLOSERS))
    assert (found, last.finish) == (text, Finish.STOP)
    assert found.endswith(closer)


async def test_tags_are_text_where_nobody_stops_at_them(
    tagged_engine: VllmEngine, request_for: RequestFor
) -> None:
    found, last = await written(tagged_engine, asked(request_for, begun("<think1>")))
    assert (found, last.finish) == (" one way</think1> beyond", Finish.EOS)


@pytest.mark.parametrize("ends", ["count 1", "<think1>"])
async def test_the_token_that_ends_the_text_is_counted_and_is_no_text(
    tagged_engine: VllmEngine, request_for: RequestFor, ends: str
) -> None:
    found, last = await written(tagged_engine, asked(request_for, begun(ends)))
    assert last.finish is Finish.EOS
    assert not any(token in found for token in tagged.CONTROL)
    assert last.tokens == await tagged_engine.count_tokens(found) + 1


PROTOCOLS = [
    (
        "thread-weaver",
        "weave",
        [("<Parallel><Outlines><Outline>1: add</Outline></Outlines>", "plan")],
    ),
    ("thread-weaver-thread", "<Thread>", [("2: sum</Thread>", "thread")]),
    (
        "multiverse-path",
        "<Path>",
        [("3: half<Conclusion> so</Conclusion>", "conclusion"), ("</Path>", "path")],
    ),
    (
        "async-think",
        "organize",
        [("<FORK-1> 2+2?</FORK-1>", "fork"), (" meanwhile<JOIN-1>", "join")],
    ),
    ("async-think-worker", "work", [("<RETURN> four</RETURN>", "return")]),
    (
        "apr",
        "search",
        [(f"<Calling Sub Searches>{tagged.SUB_SEARCH}<End Calling Sub Searches>", "spawn")],
    ),
]


@pytest.mark.parametrize(("grammar", "prompt", "segments"), PROTOCOLS, ids=[name for name, *_ in PROTOCOLS])
@pytest.mark.parametrize("reading", ["lenient", "strict"])
async def test_a_protocols_tags_end_its_segments(
    tagged_engine: VllmEngine,
    request_for: RequestFor,
    listener: Listener,
    grammar: str,
    prompt: str,
    segments: list[tuple[str, str]],
    reading: str,
) -> None:
    request = asked(request_for, raw(prompt), grammar=f"{grammar}:{reading}")
    LocalPool(tagged_engine).start([request], listener)
    await listener.all_end([request])

    found = [done.decoded for done in listener.segments()]
    assert [(decoded.text, tag_in(decoded).kind) for decoded in found] == segments
    assert [tag_in(decoded).problem for decoded in found] == [""] * len(segments)
    assert all(decoded.finish is Finish.TAG for decoded in found)


COUNTED = [" 1", " 2", " 3", " 4", "<summary>", " 5", " 6", " 7", " 8"]


@pytest.mark.parametrize("tokens", range(1, len(COUNTED) + 1))
@pytest.mark.parametrize("context", [begun, raw])
async def test_a_prefix_is_continued_token_by_token(
    tagged_engine: VllmEngine, request_for: RequestFor, context: Callable[[str], Context], tokens: int
) -> None:
    """What was decoded and is sent again are the same tokens, special ones included: the prompt is longer by just so
    many, and the text goes on as if it had never stopped."""
    whole, _ = await written(tagged_engine, asked(request_for, context("count")))
    first, cut = await written(tagged_engine, asked(request_for, context("count"), max_tokens=tokens))
    rest, end = await written(tagged_engine, asked(request_for, context("count" + first)))

    assert (first, cut.finish) == ("".join(COUNTED[:tokens]), Finish.LENGTH)
    assert first + rest == whole == "".join(COUNTED)
    assert usage_of(end).prompt_tokens == usage_of(cut).prompt_tokens + tokens


async def test_a_raw_prompt_gets_what_the_tokenizer_adds_and_no_template(
    tagged_engine: VllmEngine, request_for: RequestFor
) -> None:
    """The published prompts of APR are a bos token and their text."""
    prompt = "Moving to Node #0\nCurrent State: count"
    request = asked(request_for, raw(prompt))
    tokenizer = tagged_engine._llm.get_tokenizer()
    tokens = (await tagged_engine._prompt(request))[0]["prompt_token_ids"]

    assert tokens == [tokenizer.bos_token_id, *tokenizer(prompt, add_special_tokens=False).input_ids]
    text, last = await written(tagged_engine, request)
    assert text == "".join(COUNTED)
    assert usage_of(last).prompt_tokens == len(tokens)


async def test_a_conversation_gets_the_template_and_nothing_before_it(
    tagged_engine: VllmEngine, request_for: RequestFor
) -> None:
    tokenizer = tagged_engine._llm.get_tokenizer()
    tokens = (await tagged_engine._prompt(asked(request_for, begun("count"))))[0]["prompt_token_ids"]
    said = f"{tagged.TURN}user\nWhat is due?{tagged.TURN_ENDS}\n{tagged.TURN}assistant\ncount"
    assert tokens == tokenizer(said, add_special_tokens=False).input_ids


async def test_a_published_prompt_may_speak_of_tags_but_no_user_ends_a_turn(
    tagged_engine: VllmEngine, request_for: RequestFor
) -> None:
    """ParaThinker's instruction names `<summary>`: these are the tokens that its checkpoint was trained on."""
    said = f"Enclose it in <summary> </summary> tags.{tagged.TURN_ENDS}{tagged.EOS}"
    tokenizer = tagged_engine._llm.get_tokenizer()
    request = asked(request_for, Context((("user", said),)))
    tokens = tokenizer.convert_ids_to_tokens((await tagged_engine._prompt(request))[0]["prompt_token_ids"])

    assert tokens.count("<summary>") == tokens.count("</summary>") == 1
    assert tokens.count(tagged.TURN_ENDS) == 1  # the template's own
    assert tagged.EOS not in tokens


async def test_where_nobody_names_a_length_the_context_is_the_limit(
    tagged_engine: VllmEngine, request_for: RequestFor
) -> None:
    request = asked(request_for, raw("again"), max_tokens=None)
    text, last = await written(tagged_engine, request)
    assert text.startswith(" and on and on")
    assert last.finish is Finish.LENGTH
    assert usage_of(last).prompt_tokens + usage_of(last).completion_tokens == 512


async def test_what_an_operator_says_reaches_vllm(tagged_engine: VllmEngine) -> None:
    config = tagged_engine._llm.vllm_config
    assert config.scheduler_config.max_num_seqs == 16
    assert str(config.model_config.dtype) == "torch.float32"


async def test_an_argument_that_vllm_has_not_is_refused_before_it_starts(tagged_engine: VllmEngine) -> None:
    with pytest.raises(
        ModelUnavailable, match=r"no engine argument .max_num_seq., which .* did you mean max_num_seqs"
    ):
        VllmEngine(VllmSettings(model=tagged_engine.model.location, extra={"max_num_seq": 16}))


# -- a template whose prompts end in `<think>` where thinking is on, and a model that then thinks " well then"


def thinking(request_for: RequestFor, thought: str = "", text: str = "", **decoding: object) -> DecodeRequest:
    request = request_for(temperature=0.0, **{"thinking": Thinking.ON, **decoding})
    return replace(request, context=Context(CHAT, text, thought))


async def told(engine: VllmEngine, request: DecodeRequest) -> tuple[str, str, Chunk]:
    """Thought, text and the last chunk."""
    chunks = [chunk async for chunk in engine.decode(request)]
    return "".join(chunk.thought for chunk in chunks), "".join(chunk.text for chunk in chunks), chunks[-1]


async def test_a_thought_that_the_prompt_began_is_told_apart_and_counted(
    tagged_engine: VllmEngine, request_for: RequestFor
) -> None:
    thought, text, last = await told(tagged_engine, thinking(request_for))
    assert (thought, text, last.finish) == (" well then", "done", Finish.EOS)
    usage = usage_of(last)
    assert (usage.completion_tokens, usage.reasoning_tokens) == (
        5,
        3,
    )  # two words and a mark; a word and an end


@pytest.mark.parametrize(
    ("thought", "text", "expected"),
    [(" well", "", (" then", "done")), (" well then", " done", ("", ""))],
)
async def test_a_decode_goes_on_in_its_thought_and_behind_it(
    tagged_engine: VllmEngine,
    request_for: RequestFor,
    thought: str,
    text: str,
    expected: tuple[str, str],
) -> None:
    *rest, _ = await told(tagged_engine, thinking(request_for, thought, text))
    assert tuple(rest) == expected


async def test_a_form_holds_behind_the_thought(tagged_engine: VllmEngine, request_for: RequestFor) -> None:
    form = Structure(choice=("3", "5"))
    thought, text, _ = await told(tagged_engine, thinking(request_for, structure=form))
    assert thought == " well then"
    assert text in ("3", "5")
    thought, text, _ = await told(tagged_engine, thinking(request_for, structure=form, thinking=Thinking.OFF))
    assert thought == ""
    assert text in ("3", "5")


async def test_a_budget_ends_the_thought(tagged_engine: VllmEngine, request_for: RequestFor) -> None:
    thought, text, _ = await told(tagged_engine, thinking(request_for, thinking_tokens=1))
    assert (thought, text) == (" well", "done")


async def test_a_stop_string_is_looked_for_in_the_text_only(
    tagged_engine: VllmEngine, request_for: RequestFor
) -> None:
    thought, text, last = await told(tagged_engine, thinking(request_for, stop=("then", "on")))
    assert (thought, text, last.finish) == (" well then", "don", Finish.STOP)


async def test_a_trained_protocol_goes_on_inside_and_reads_all(
    tagged_engine: VllmEngine, request_for: RequestFor
) -> None:
    thought, text, _ = await told(tagged_engine, thinking(request_for, raw_thoughts=True))
    assert (thought, text) == ("", " well then</think> done")


async def test_a_parser_of_vllms_is_taken_by_its_name(tmp_path: Path) -> None:
    tagged.write_tagged_model(tmp_path)
    named = reasoning_of("deepseek_r1", str(tmp_path), {})
    assert (named.marks, named.parser) == (Marks("<think>", "</think>"), "deepseek_r1")
    assert reasoning_of("none", str(tmp_path), {}).marks is None
    with pytest.raises(
        ModelUnavailable, match="has no reasoning parser 'telepathy'; choose auto, none or one of"
    ):
        reasoning_of("telepathy", str(tmp_path), {})
    with pytest.raises(ModelUnavailable, match="does not fit this model"):
        reasoning_of("olmo3", str(tmp_path), {})
    with pytest.raises(ModelUnavailable, match="tells no marks"):
        reasoning_of("openai_gptoss", str(tmp_path), {})
