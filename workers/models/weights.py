"""Reads from a checkpoint's files which tensors it has, without loading one, and says which nobody here can load."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path

from anabranch.workers.errors import ModelUnavailable

INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
LONGEST_HEADER = 100_000_000
"""Bytes; the format's own limit."""
SEGMENT_EMBEDDINGS = ".self_attn.seg_embeddings"
"""ParaThinker's (Wen et al., arXiv 2509.04475, section 3.2): one per path, added to keys and values."""


def refuse_unloadable(folder: Path) -> None:
    """Raises ModelUnavailable, with what to do, for a checkpoint that vLLM would refuse in its own words only."""
    for name in tensor_names(folder):
        if SEGMENT_EMBEDDINGS in name:
            raise ModelUnavailable(
                f"{folder} has ParaThinker's segment embeddings ({name}), and vLLM has no layer for them: serve it "
                "with the publishers' vLLM and use that as an upstream (engine openai), or make a copy without these "
                "tensors (docs/trained_models.md), in which paths are told apart by their tags alone"
            )


def tensor_names(folder: Path) -> Iterator[str]:
    """All that the checkpoint's index names, or, without an index, the headers of its safetensors files."""
    for index in INDEXES:
        if (folder / index).is_file():
            yield from json.loads((folder / index).read_bytes()).get("weight_map", {})
            return
    for file in sorted(folder.glob("*.safetensors")):
        yield from (name for name in _header(file) if name != "__metadata__")


def _header(file: Path) -> dict[str, object]:
    """The format: eight bytes with the header's length, little endian, then the header as JSON."""
    with file.open("rb") as content:
        start = content.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        header = content.read(length) if 0 < length <= LONGEST_HEADER else b""
    try:
        read: dict[str, object] = json.loads(header)
    except ValueError as error:
        raise ModelUnavailable(
            f"{file} is no safetensors file; if it was cloned, `git lfs pull` brings the weights"
        ) from error
    return read
