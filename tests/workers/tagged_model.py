"""Makes a checkpoint that knows the published tags: a two-layer Qwen2 whose tokenizer has them as special tokens.

What it writes is known: attention and MLP add nothing, so the next token follows from the last one alone, and `SCRIPTS`
says how. Trained checkpoints cannot be had here; what they do to an engine, special tokens in their text and a bos
token before a raw prompt, this one does, too.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers, processors
from tokenizers.models import BPE

# Loading these takes seconds: only who makes a checkpoint does.
if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

BOS, EOS, TURN, TURN_ENDS = "<|endoftext|>", "<|end|>", "<|im_start|>", "<|im_end|>"
CONTROL = (BOS, EOS, TURN, TURN_ENDS)

PARA_THINKER = (
    *(f"<{slash}think{n}>" for n in range(1, 9) for slash in ("", "/")),
    *("<summary>", "</summary>"),
)
BLOCKS = tuple(
    f"<{slash}{name}>"
    for name in ("Parallel", "Goal", "Outlines", "Outline", "Thread", "Path", "Conclusion")
    for slash in ("", "/")
)
"""ThreadWeaver's and Multiverse's."""
ASYNC_THINK = (
    *(f"<{tag}-{n}>" for n in range(1, 5) for tag in ("FORK", "/FORK", "JOIN", "/JOIN")),
    *("<ANSWER>", "</ANSWER>", "<RETURN>", "</RETURN>"),
)
APR = ("<Calling Sub Searches>", "<End Calling Sub Searches>", "<Sub Searches>", "<End Sub Searches>")
THINKING = ("<think>", "</think>")
TAGS = (*PARA_THINKER, *BLOCKS, *ASYNC_THINK, *APR, *THINKING)

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking %}<think>{% endif %}{% endif %}"
)

SUB_SEARCH = "\n<Start Sub Search 0 at level 1> Moving to Node #0,0\n"
SCRIPTS = (
    ("<think1>", " one", " way", "</think1>", " beyond", EOS),
    ("<think2>", " two", "</think3>", " beyond"),
    ("weave", "<Parallel>", "<Outlines>", "<Outline>", "1: add", "</Outline>", "</Outlines>", " beyond"),
    ("<Thread>", "2: sum", "</Thread>", " beyond"),
    ("<Path>", "3: half", "<Conclusion>", " so", "</Conclusion>", "</Path>", " beyond"),
    ("organize", "<FORK-1>", " 2+2?", "</FORK-1>", " meanwhile", "<JOIN-1>", " beyond"),
    ("work", "<RETURN>", " four", "</RETURN>", " beyond"),
    ("search", "<Calling Sub Searches>", SUB_SEARCH, "<End Calling Sub Searches>", " beyond"),
    ("count", " 1", " 2", " 3", " 4", "<summary>", " 5", " 6", " 7", " 8", TURN_ENDS),
    ("again", " and", " on", " and"),
    ("<think>", " well", " then", "</think>", " done", TURN_ENDS),
)
"""What follows on what. Whatever is in none is followed by the end of the text."""
WORDS = tuple(
    dict.fromkeys(word for script in SCRIPTS for word in script if word not in TAGS and word not in CONTROL)
)


def write_tagged_model(folder: Path, *, seed: int = 0) -> None:
    """The checkpoint as a publisher would have it: config, weights, tokenizer, generation config."""
    import torch
    from transformers import Qwen2ForCausalLM

    tokenizer = _tokenizer()
    torch.manual_seed(seed)
    model = Qwen2ForCausalLM(_config(tokenizer)).to(torch.float32)
    _recite(model, tokenizer)
    model.generation_config.eos_token_id = [
        tokenizer.convert_tokens_to_ids(EOS),
        tokenizer.convert_tokens_to_ids(TURN_ENDS),
    ]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _tokenizer() -> "PreTrainedTokenizerFast":
    """Bytes, the words of the scripts, and the tags. A text alone gets a bos token, as Llama's tokenizer does it."""
    from transformers import PreTrainedTokenizerFast

    vocabulary = {byte: number for number, byte in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(tag, special=True, normalized=False) for tag in (*CONTROL, *TAGS)]
    )
    tokenizer.add_tokens([AddedToken(word, normalized=False) for word in WORDS])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, tokenizer.token_to_id(BOS))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=EOS,
        extra_special_tokens=[TURN, TURN_ENDS, *TAGS],
        chat_template=TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def _config(tokenizer: "PreTrainedTokenizerFast") -> "Qwen2Config":
    """As wide as there are tokens, so that each has a direction of its own; heads of 64, which every kernel has."""
    from transformers import Qwen2Config

    width = -(-len(tokenizer) // 64) * 64
    return Qwen2Config(
        vocab_size=width,
        hidden_size=width,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=width // 64,
        num_key_value_heads=width // 64,
        max_position_embeddings=512,
        tie_word_embeddings=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        dtype="float32",
    )


def _recite(model: "Qwen2ForCausalLM", tokenizer: "PreTrainedTokenizerFast") -> None:
    """Weights by which each token is followed by its successor."""
    import torch

    width = model.config.hidden_size
    follow = dict(_successors(tokenizer))
    head = torch.zeros(width, width)
    for token in range(width):
        head[follow.get(token, tokenizer.eos_token_id), token] = 1.0
    with torch.no_grad():
        model.model.embed_tokens.weight.copy_(torch.eye(width))
        model.lm_head.weight.copy_(head)
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()


def _successors(tokenizer: "PreTrainedTokenizerFast") -> Iterator[tuple[int, int]]:
    for script in SCRIPTS:
        for token, after in pairwise(script):
            yield tokenizer.convert_tokens_to_ids(token), tokenizer.convert_tokens_to_ids(after)
