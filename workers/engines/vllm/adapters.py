"""Loads LoRA adapters into vLLM, each when it is first asked for.

vLLM loads one that a request names by itself, too, but in the step that decodes: there a folder without an adapter of
this model ends the whole engine. So it is asked to load it before, where a failure is an answer.
"""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anabranch.dag.decoding import Fault
from anabranch.dag.vocabulary import Cause
from anabranch.workers.errors import DecodeError, ModelUnavailable

CONFIG = "adapter_config.json"
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Those that vLLM has room for, from its default on."""
AT_ONCE = 8
"""Adapters in one batch at most, where an operator does not say (`max_loras`): each takes memory beside the model."""


class Adapters:
    """The adapters of one engine, by the names under which they are asked for."""

    def __init__(self, folders: Mapping[str, str]) -> None:
        """Reads what each is. Raises ModelUnavailable for a folder that holds none."""
        self._folders = folders
        self._ranks = [_read_rank(name, Path(folder)) for name, folder in folders.items()]
        self._numbers = {name: number for number, name in enumerate(folders, start=1)}
        self._loaded: set[str] = set()
        self._loading = asyncio.Lock()

    def __contains__(self, model: str | None) -> bool:
        return model in self._folders

    def arguments(self) -> dict[str, Any]:
        """What vLLM's engine is told at its start."""
        if not self._folders:
            return {}
        most = max(self._ranks)
        return {
            "enable_lora": True,
            "max_loras": min(AT_ONCE, len(self._folders)),
            "max_cpu_loras": len(self._folders),
            "max_lora_rank": next((rank for rank in RANKS if rank >= most), most),
        }

    async def request(self, llm: Any, model: str | None) -> Any:
        """vLLM's name of this adapter, loaded; None for the model itself. Raises DecodeError."""
        if model is None or model not in self._folders:
            return None
        from vllm.lora.request import LoRARequest

        request = LoRARequest(model, self._numbers[model], self._folders[model])
        async with self._loading:
            if model not in self._loaded:
                try:
                    await llm.add_lora(request)
                except Exception as error:  # vLLM's own, of many kinds
                    detail = f"adapter {model} ({self._folders[model]}) cannot be loaded: {error}"
                    raise DecodeError(Fault(cause=Cause.REFUSED, detail=detail, retryable=False)) from error
                self._loaded.add(model)
        return request


def _read_rank(name: str, folder: Path) -> int:
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        return max([int(config["r"]), *map(int, (config.get("rank_pattern") or {}).values())])
    except OSError as error:
        raise ModelUnavailable(
            f"adapter {name}: {folder / CONFIG} cannot be read: {error.strerror}"
        ) from error
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise ModelUnavailable(f"adapter {name}: {folder / CONFIG} tells no rank (r): {error!r}") from error
