"""Lets a CPU replica live on when vLLM cuts the prefill of a request with a seed.

vLLM reads a prompt in parts where it is longer than what is left of a step, and takes back what it drew behind each
part but the last. It does so by the generator's offset, which torch's generators on a CPU do not have: the engine
ended, and all its decodes with it (vLLM 0.32.0, `GPUModelRunner._bookkeeping_sync`). vLLM calls `take_back_draws` in
each of its processes: it is named in pyproject.toml under the entry points `vllm.general_plugins`.
"""

import multiprocessing
from typing import Any


def take_back_draws() -> None:
    """On a CPU, in a process that vLLM started: takes draws back by the seed, before vLLM would by the offset."""
    from vllm.platforms import current_platform

    if not current_platform.is_cpu() or multiprocessing.parent_process() is None:
        return
    from vllm.v1.worker.gpu_model_runner import GPUModelRunner

    keep_books = GPUModelRunner._bookkeeping_sync  # noqa: SLF001 - nothing public stands before it

    def keep(runner: Any, *args: Any, **named: Any) -> Any:
        generators = runner.input_batch.generators
        cut = runner.discard_request_mask.np[: runner.input_batch.num_reqs].nonzero()[0].tolist()
        apart = {index: generators.pop(index) for index in cut if index in generators}
        for index, generator in apart.items():
            # One with tokens was read before, as before a preemption, and has drawn for them.
            if not runner.input_batch.req_output_token_ids[index]:
                generator.manual_seed(generator.initial_seed())
        try:
            return keep_books(runner, *args, **named)
        finally:
            generators.update(apart)

    GPUModelRunner._bookkeeping_sync = keep  # noqa: SLF001
