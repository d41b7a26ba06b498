"""Converts a GGUF file into a Hugging Face folder in bfloat16, so that vLLM runs it on CPU and GPU alike.

vLLM reads GGUF only by CUDA kernels. Only what the embedded models need is here: the llama and qwen2 architectures,
byte-level BPE, tied embeddings. The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import json
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from gguf import GGUFReader, ReaderTensor, TokenType
from gguf.quants import dequantize
from numpy.typing import NDArray
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import BPE

Fields = Mapping[str, Any]

ARCHITECTURES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM"}
BLOCK_TENSORS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
QWEN2_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
VALUES_AT_ONCE = 1 << 22
"""Weights held as float32 at one time: 16 MiB and a few temporary copies, however large the tensor."""


def convert(
    file: Path,
    folder: Path,
    *,
    sampling: Mapping[str, float],
    begin: Callable[[int], None],
    advance: Callable[[int], None],
) -> None:
    """Write config, tokenizer, generation config and weights of `file` into `folder`, which must exist.

    `sampling` are the publisher's recommended sampling defaults, which a GGUF file does not carry. `begin` is told
    how many weights there are, then `advance` how many more were written. Raises KeyError on any other architecture
    or tokenizer.
    """
    reader = GGUFReader(file)
    fields = {name: field.contents() for name, field in reader.fields.items()}
    _write_json(folder / "config.json", _config(fields))
    _write_json(folder / "generation_config.json", _generation_config(fields, sampling))
    _write_json(folder / "tokenizer_config.json", _tokenizer_config(fields))
    _tokenizer(fields).save(str(folder / "tokenizer.json"))
    tensors = _named(reader.tensors)
    begin(sum(int(tensor.n_elements) for tensor in tensors.values()))
    with (folder / "model.safetensors").open("wb") as out:
        _write_weights(out, tensors, fields, advance)


def _config(fields: Fields) -> dict[str, Any]:
    architecture = fields["general.architecture"]

    def size(name: str) -> Any:
        return fields[f"{architecture}.{name}"]

    return {
        "architectures": [ARCHITECTURES[architecture]],
        "model_type": architecture,
        "torch_dtype": "bfloat16",
        "hidden_act": "silu",
        "hidden_size": size("embedding_length"),
        "intermediate_size": size("feed_forward_length"),
        "num_hidden_layers": size("block_count"),
        "num_attention_heads": size("attention.head_count"),
        "num_key_value_heads": size("attention.head_count_kv"),
        "max_position_embeddings": size("context_length"),
        "rms_norm_eps": size("attention.layer_norm_rms_epsilon"),
        "rope_theta": size("rope.freq_base"),
        "vocab_size": len(fields["tokenizer.ggml.tokens"]),
        "tie_word_embeddings": True,
        "bos_token_id": fields["tokenizer.ggml.bos_token_id"],
        "eos_token_id": fields["tokenizer.ggml.eos_token_id"],
        # Of the publishers' time. Without it transformers takes the tokenizer for a faulty Mistral one.
        "transformers_version": "4.44.0",
    }


def _generation_config(fields: Fields, sampling: Mapping[str, float]) -> dict[str, Any]:
    eos, pad = fields["tokenizer.ggml.eos_token_id"], fields["tokenizer.ggml.padding_token_id"]
    return {
        "bos_token_id": fields["tokenizer.ggml.bos_token_id"],
        # Qwen pads with <|endoftext|>, and its own generation config lets that end a turn too.
        "eos_token_id": sorted({eos, pad}),
        "pad_token_id": pad,
        "do_sample": True,
        **sampling,
    }


def _tokenizer_config(fields: Fields) -> dict[str, Any]:
    tokens = fields["tokenizer.ggml.tokens"]
    architecture = fields["general.architecture"]
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "chat_template": fields["tokenizer.chat_template"],
        "bos_token": tokens[fields["tokenizer.ggml.bos_token_id"]],
        "eos_token": tokens[fields["tokenizer.ggml.eos_token_id"]],
        "pad_token": tokens[fields["tokenizer.ggml.padding_token_id"]],
        "add_bos_token": fields["tokenizer.ggml.add_bos_token"],
        "model_max_length": fields[f"{architecture}.context_length"],
        "clean_up_tokenization_spaces": False,
    }


def _tokenizer(fields: Fields) -> Tokenizer:
    """Byte-level BPE with the pre-tokenizer that the file names. Rows kept unused for padding get no text: structured
    decoding must not be able to choose them."""
    kinds = fields["tokenizer.ggml.token_type"]
    named = [
        (token, ident)
        for ident, token in enumerate(fields["tokenizer.ggml.tokens"])
        if kinds[ident] != TokenType.UNUSED
    ]
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(BPE(vocab=dict(named), merges=merges))
    tokenizer.decoder = decoders.ByteLevel()
    if fields["tokenizer.ggml.pre"] == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = _pre_tokenizer(fields["tokenizer.ggml.pre"])
    tokenizer.add_tokens(
        [
            AddedToken(token, special=kinds[ident] == TokenType.CONTROL, normalized=False)
            for token, ident in named
            if kinds[ident] in (TokenType.CONTROL, TokenType.USER_DEFINED)
        ]
    )
    return tokenizer


def _pre_tokenizer(name: str) -> pre_tokenizers.PreTokenizer:
    return {
        "smollm": lambda: pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        ),
        "qwen2": lambda: pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(QWEN2_WORDS), behavior="isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        ),
    }[name]()


def _named(tensors: list[ReaderTensor]) -> dict[str, ReaderTensor]:
    """Every tensor by its Hugging Face name.

    With tied embeddings a file may hold the one matrix twice, for output in the finer quantisation: that one is kept.
    """
    by_name = {tensor.name: tensor for tensor in tensors}
    embeddings = by_name.pop("token_embd.weight")
    named = {
        "model.embed_tokens.weight": by_name.pop("output.weight", embeddings),
        "model.norm.weight": by_name.pop("output_norm.weight"),
    }
    for name, tensor in by_name.items():
        _, layer, part, kind = name.split(".")
        named[f"model.layers.{layer}.{BLOCK_TENSORS[part]}.{kind}"] = tensor
    return named


def _write_weights(
    out: BinaryIO, tensors: Mapping[str, ReaderTensor], fields: Fields, advance: Callable[[int], None]
) -> None:
    """The safetensors format, written piece by piece: its library would want all weights in memory twice."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, tensor in tensors.items():
        end = offset + 2 * int(tensor.n_elements)
        shape = [int(extent) for extent in reversed(tensor.shape)]
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    out.write(struct.pack("<Q", len(text)) + text)
    for tensor in tensors.values():
        for values in _pieces(tensor, fields):
            out.write(_bfloat16(values).tobytes())
            advance(values.size)


def _pieces(tensor: ReaderTensor, fields: Fields) -> Iterator[NDArray[np.float32]]:
    """The tensor's values, some rows at a time, rows in Hugging Face order."""
    rows = np.atleast_2d(tensor.data)
    heads = _rotary_heads(tensor.name, fields)
    if heads:
        rows = rows[_unpermuted(len(rows), heads)]
    per_piece = max(1, VALUES_AT_ONCE * len(rows) // int(tensor.n_elements))
    for first in range(0, len(rows), per_piece):
        yield dequantize(rows[first : first + per_piece], tensor.tensor_type)


def _rotary_heads(name: str, fields: Fields) -> int:
    """How many heads a query or key projection has, if its rows were permuted when the file was made: llama only."""
    if fields["general.architecture"] != "llama":
        return 0
    if ".attn_q." in name:
        return int(fields["llama.attention.head_count"])
    return int(fields["llama.attention.head_count_kv"]) if ".attn_k." in name else 0


def _unpermuted(rows: int, heads: int) -> NDArray[np.int64]:
    """llama.cpp stores rotary pairs side by side (x0 y0 x1 y1 …), Hugging Face in halves (x0 x1 … y0 y1 …)."""
    return np.arange(rows).reshape(heads, rows // heads // 2, 2).swapaxes(1, 2).reshape(-1)


def _bfloat16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The upper half of each float32, rounded to nearest, ties to even; numpy has no bfloat16 of its own."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
