"""A Qwen2 checkpoint that recites: every token has one successor. Its tags are special tokens, as trained models have
them, and its chat template puts an empty thought before a turn that is to go on, as Qwen3's does."""

from itertools import pairwise
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

WIDTH, HEADS = 512, 8
END = "<|im_end|>"
SPECIAL = ("<|im_start|>", END, "<think>", "</think>", "<Goal>", "</Goal>")
ORDINARY = tuple(sorted(pre_tokenizers.ByteLevel.alphabet()))
NEWLINE = "Ċ"
"""How byte-level tokenizers write it."""
RECITAL = (NEWLINE, "<Goal>", "a", "b", "c", "</Goal>", "d", "e", "f", END)
"""What it says at the beginning of a turn."""
FOR_EVER = "z"
"""Whose successor is itself."""
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}"
    "{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def write_reciting_model(folder: Path, max_model_len: int) -> None:
    """The checkpoint, its tokenizer and its template, as Hugging Face lays them out."""
    tokenizer = _tokenizer()
    tokenizer.save_pretrained(folder)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS // 4,
        max_position_embeddings=max_model_len,
        tie_word_embeddings=False,
        eos_token_id=tokenizer.eos_token_id,
        dtype="float32",
    )
    model = Qwen2ForCausalLM(config)
    _make_it_recite(model, tokenizer)
    model.save_pretrained(folder)


def _tokenizer() -> PreTrainedTokenizerFast:
    by_bytes = Tokenizer(models.BPE({letter: number for number, letter in enumerate(ORDINARY)}, []))
    by_bytes.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    by_bytes.decoder = decoders.ByteLevel()
    by_bytes.add_special_tokens([AddedToken(tag, special=True, normalized=False) for tag in SPECIAL])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=by_bytes, eos_token=END, pad_token=END, additional_special_tokens=list(SPECIAL)
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def _make_it_recite(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast) -> None:
    """Layers that add nothing between an embedding that names the token and a head that names its successor."""
    successors = dict(pairwise(RECITAL)) | {FOR_EVER: FOR_EVER}
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        model.model.embed_tokens.weight.copy_(torch.eye(len(tokenizer), WIDTH))
        model.lm_head.weight.zero_()
        for token, successor in successors.items():
            here, there = tokenizer.convert_tokens_to_ids([token, successor])
            model.lm_head.weight[there, here] = 1.0
