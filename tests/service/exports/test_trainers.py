"""Exports reach trainers as they are: `datasets` loads them, TRL trains a step on them, verl finds its columns."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.service.conftest import Writing, vote

from anabranch.dag import events as e
from anabranch.dag.decoding.kept import pack
from anabranch.dag.events import Record
from anabranch.dag.training.samples import Reward
from anabranch.service.exports.parquet import write_parquet
from anabranch.service.exports.registry import ExportedJob, export_formats
from anabranch.service.telemetry.ids import TraceOrigin

JUDGED = (Reward(by="evaluation sums", score=1.0, truth="42"), Reward(by="Eve", score=0.5))
CHAT = (
    "{% for message in messages %}{{ message['role'] }}: "
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] }}<end>{% endgeneration %}"
    "{% else %}{{ message['content'] }}<end>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def keeping(writing: Writing) -> list[Record]:
    """The journal, had the tokens been kept."""

    def keep(record: Record) -> Record:
        match record.event:
            case e.SegmentFinished(decoded=decoded) as event:
                return replace(
                    record, event=replace(event, decoded=replace(decoded, kept=pack([5, 6], [-0.5, -0.25])))
                )
            case _:
                return record

    return [keep(record) for record in writing.records]


def spliced() -> Writing:
    written = Writing().submit().claim().start("0").finish("0", "First: ")
    return written.start("0", 2, inserted="[a result] ").finish("0", "42", segment=2).answer("42", "0")


def export(form: str, rewards: Iterable[Reward] = JUDGED) -> list[str]:
    """The lines of three jobs: two that kept their tokens, and one that did not."""
    jobs = (keeping(vote()), keeping(spliced()), vote().records)
    return [
        piece
        for records in jobs
        for piece in export_formats()[form].write(
            ExportedJob(records=records, origin=TraceOrigin("a" * 32), pool_model="m", rewards=tuple(rewards))
        )
    ]


@pytest.fixture
def load(tmp_path: Path) -> Any:
    """Loads an export as `datasets` does, from lines or from Parquet."""
    datasets = pytest.importorskip("datasets", reason="trainers are installed by the extra dev")

    def load(form: str, kind: str, rewards: Iterable[Reward] = JUDGED) -> Any:
        file = tmp_path / f"{form}.{kind}"
        if kind == "parquet":
            write_parquet(export(form, rewards), file)
        else:
            file.write_text("".join(export(form, rewards)), encoding="utf-8")
        return datasets.load_dataset(
            "parquet" if kind == "parquet" else "json",
            data_files=str(file),
            split="train",
            cache_dir=str(tmp_path / "cache"),
        )

    return load


@pytest.mark.parametrize("rewards", [JUDGED, ()], ids=["judged", "not judged"])
@pytest.mark.parametrize("form", ["sft", "trajectory", "rl"])
def test_lines_and_parquet_are_the_same_rows(load: Any, form: str, rewards: tuple[Reward, ...]) -> None:
    written = [json.loads(line) for line in export(form, rewards)]
    assert load(form, "parquet", rewards).to_list() == written
    read = load(form, "jsonl", rewards).to_list()
    assert [row["job"] for row in read] == [row["job"] for row in written]
    assert [row["reward"] for row in read] == [row["reward"] for row in written]


def test_verl_finds_its_columns(load: Any) -> None:
    """As its documents name them: of rollouts `prompt`, `data_source`, `reward_model.ground_truth` and
    `extra_info.index`, of conversations `messages`."""
    for row in load("rl", "parquet"):
        assert row["prompt"] == [{"role": "user", "content": "What is six times seven?"}]
        assert (row["data_source"], row["reward_model"]) == (
            "anabranch",
            {"style": "rule", "ground_truth": "42"},
        )
        assert row["extra_info"]["index"] == row["job"]
    for row in load("trajectory", "parquet"):
        assert [message["role"] for message in row["messages"]] == ["user", "assistant"]


def tiny_tokenizer() -> Any:
    """Of bytes, with a template that marks what the assistant says."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    whole = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(letters)}, merges=[]))
    whole.pre_tokenizer, whole.decoder = (
        pre_tokenizers.ByteLevel(add_prefix_space=False),
        decoders.ByteLevel(),
    )
    made = PreTrainedTokenizerFast(tokenizer_object=whole, eos_token="<end>", pad_token="<pad>")
    made.chat_template = CHAT
    return made


def tiny_model(vocabulary: int) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary, hidden_size=16, intermediate_size=32, num_hidden_layers=1,
            num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=256,
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("form", "columns", "options"),
    [
        ("sft", ["prompt", "completion"], {"completion_only_loss": True}),
        ("trajectory", ["messages"], {"assistant_only_loss": True}),
    ],
)
def test_trl_trains_a_step(
    load: Any, tmp_path: Path, form: str, columns: list[str], options: dict[str, Any]
) -> None:
    trl = pytest.importorskip("trl", reason="trainers are installed by the extra dev")
    tokenizer = tiny_tokenizer()
    arguments = trl.SFTConfig(
        output_dir=str(tmp_path / "out"), max_steps=1, per_device_train_batch_size=2, use_cpu=True,
        bf16=False, report_to=[], save_strategy="no", disable_tqdm=True, **options,
    )  # fmt: skip
    trainer = trl.SFTTrainer(
        model=tiny_model(len(tokenizer)),
        args=arguments,
        train_dataset=load(form, "parquet").select_columns(columns),
        processing_class=tokenizer,
    )
    batch = next(iter(trainer.get_train_dataloader()))
    trained = tokenizer.decode(batch["labels"][0][batch["labels"][0] != -100])
    assert trained.startswith(("42", "First: "))
    assert trainer.train().training_loss > 0
