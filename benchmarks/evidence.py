"""Compares policies on the embedded models by `anabranch eval`, and writes `docs/evidence.md` of what came of it.

    python benchmarks/evidence.py run [--model qwen2.5-coder-0.5b] [--blocks 12] [--minutes 60] [--at-once 12]
                                      [--state FOLDER]
    python benchmarks/evidence.py write

`run` starts a service of its own (or asks the one that ANABRANCH_URL names, which serves this model) and asks block by
block, BLOCK questions of each task set of all policies, each block an evaluation of its own. Killed, or run again with
more blocks, it goes on where it was: `anabranch eval` runs no job twice, and a block that TRIALS has is not asked
again. After each block the trials are written to TRIALS, which is kept in the repository, so that anybody can compute
the page anew: `write` needs no model.

A question counts once all policies have answered it: what was under way when a run was stopped is left out, for all.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.evidence_page import Measured, measure, short_table, write_page

from anabranch.client import Client
from anabranch.service.client.evaluations import Trial

ROOT = Path(__file__).parent.parent
TRIALS = ROOT / "benchmarks" / "evidence.jsonl"
PAGE = ROOT / "docs" / "evidence.md"
PROGRAM = Path(sys.executable).with_name("anabranch")
BUNDLED = ROOT / "service" / "evaluation" / "demo.jsonl"

SETS = ("bundled", "simple-equations", "chain-sum")
POLICIES = (
    "sequential",
    "self-consistency:n=4",
    "self-consistency:n=4,window=2,stop=unanimous",
    "deep-conf:n=4,warmup=2,group=32",
    "dynasor:interval=48,agree=2,tokens=200",
    "best-of-n:n=3",
    "recursive-aggregation:population=2,steps=2",
    "plan",
)
BLOCK = 5
MAX_TOKENS = 200
BUDGET_TOKENS = 800
AT_ONCE = 12


HEAD = f"""\
# Which policy helps a small model

Measured by `anabranch eval`, and written by `python benchmarks/evidence.py write` from `benchmarks/evidence.jsonl`,
which has a line for each trial. No word here goes beyond its numbers: a policy *helps* or *hurts* where the 95 %
interval of the paired difference leaves out zero, and McNemar's exact p is below 0.05 divided by the number of
policies that are compared (of many, the best one looks good by chance). Else no difference is shown.

**What was compared.** The embedded models on vLLM, bfloat16, at the temperature that a policy or the model's
publisher names: on a CPU, and, where the name ends in `-h200`, the same weights on one NVIDIA H200 (vLLM 0.24
as an upstream); on the CPU, too, most of what the 1.5B was asked went to vLLM as an upstream. The same
questions and seeds for all policies; each job may decode {BUDGET_TOKENS} tokens, each decode {MAX_TOKENS}; an
answer that was cut off counts as it stands. The sets: `bundled`, the 20 questions of `anabranch eval --demo`,
without its wish to be brief; `simple-equations` and `chain-sum` of reasoning-gym, seeds 1, 2, 3, …, {BLOCK}
questions each. Only questions that all policies have answered count: how many these are stands with each table.

**How to read it.** Accuracies have Wilson's interval. T is the mean critical path in tokens, L all decoded tokens,
waste the share of L that no answer used, wall the median seconds from claim to answer among as many other jobs as ran
at once; on the CPU on two cores that other programs used as well. Only T and L compare between tables. More questions,
or the larger model, go on from what is there:

```
python benchmarks/evidence.py run --blocks 12 --minutes 60
python benchmarks/evidence.py run --model qwen2.5-coder-1.5b --blocks 6 --minutes 60
ANABRANCH_URL=http://… python benchmarks/evidence.py run --model NAME --at-once 64   # a service over any engine
```
"""
README = ROOT / "README.md"
BEGIN, END = "<!-- written by benchmarks/evidence.py -->\n", "<!-- up to here -->\n"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of TRIALS."""

    model: str
    set: str
    block: int
    task: str
    arm: str
    score: float
    critical_path_tokens: int
    total_tokens: int
    waste_tokens: int
    wall_seconds: float
    status: str

    @property
    def key(self) -> tuple[str, str, int, str, str]:
        return self.model, self.set, self.block, self.task, self.arm


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("run", "write"))
    parser.add_argument("--model", default="qwen2.5-coder-0.5b")
    parser.add_argument("--blocks", type=int, default=12, help=f"of {BLOCK} questions of each set")
    parser.add_argument("--minutes", type=float, default=60.0, help="after which no block is begun")
    parser.add_argument(
        "--at-once", type=int, default=AT_ONCE, help="jobs, as many as the engine is good for"
    )
    parser.add_argument("--state", type=Path, default=Path.home() / ".cache" / "anabranch" / "evidence")
    options = parser.parse_args()
    if options.what == "run":
        run(options)
    PAGE.write_text(page(), encoding="utf-8")
    README.write_text(readme(), encoding="utf-8")


def page() -> str:
    """docs/evidence.md, as it follows from TRIALS."""
    return write_page(_measured(), HEAD)


def readme() -> str:
    """README.md with the table that follows from TRIALS."""
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    return f"{before}{BEGIN}{short_table(_measured())}\n{END}{rest.partition(END)[2]}"


def _measured() -> list[Measured]:
    return list(measure([asdict(line) for line in read_lines()], POLICIES))


def run(options: argparse.Namespace) -> None:
    """Asks so many blocks of each set, as far as the time goes."""
    until = time.monotonic() + 60 * options.minutes
    model = options.model
    with serving(model, options.state) as url:
        for block in range(1, options.blocks + 1):
            for name in SETS:
                if time.monotonic() < until and not is_done(model, name, block):
                    ask(url, model, name, block, options.at_once)
                    keep(url, model)


def is_done(model: str, name: str, block: int) -> bool:
    """Whether TRIALS has all of this block."""
    questions = len(bundled(block)) if name == "bundled" else BLOCK
    told = [line for line in read_lines() if (line.model, line.set, line.block) == (model, name, block)]
    return len(told) >= questions * len(POLICIES)


def ask(url: str, model: str, name: str, block: int, at_once: int) -> None:
    """Runs one block through the command line, or what is left of it."""
    with tempfile.TemporaryDirectory() as folder:
        tasks = [name, "--limit", str(BLOCK)]
        if name == "bundled":
            file = Path(folder) / f"bundled-{block}.jsonl"
            file.write_text("\n".join(bundled(block)), encoding="utf-8")
            tasks = [str(file)]
        command = [
            str(PROGRAM), "eval", *tasks, "--policies", ",".join(POLICIES), "--seed", str(block),
            "--run", name_of(model, name, block), "--max-tokens", str(MAX_TOKENS),
            "--budget-tokens", str(BUDGET_TOKENS), "--at-once", str(at_once), "--json",
        ]  # fmt: skip
        subprocess.run(
            command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"ANABRANCH_URL": url}
        )


def bundled(block: int) -> Sequence[str]:
    """The block's lines of the questions that come along; none behind their end."""
    return BUNDLED.read_text(encoding="utf-8").splitlines()[(block - 1) * BLOCK : block * BLOCK]


def name_of(model: str, name: str, block: int) -> str:
    return f"evidence-{model}-{name}-{block}"


def keep(url: str, model: str) -> None:
    """Writes all trials that this service knows of into TRIALS."""
    lines = {line.key: line for line in read_lines()}
    with Client(url) as client:
        for run in (found.run for found in client.evaluations()):
            name, _, block = run.removeprefix(f"evidence-{model}-").rpartition("-")
            if name in SETS:
                told = [line_of(model, name, int(block), trial) for trial in client.evaluation(run).trials]
                lines |= {line.key: line for line in told}
    written = (json.dumps(asdict(lines[key]), ensure_ascii=False) + "\n" for key in sorted(lines))
    TRIALS.write_text("".join(written), encoding="utf-8")


def line_of(model: str, name: str, block: int, trial: Trial) -> Line:
    return Line(
        model=model,
        set=name,
        block=block,
        task=trial.task,
        arm=trial.arm,
        score=trial.score,
        critical_path_tokens=trial.critical_path_tokens,
        total_tokens=trial.total_tokens,
        waste_tokens=trial.waste_tokens,
        wall_seconds=round(trial.wall_seconds, 2),
        status=trial.status,
    )


def read_lines() -> list[Line]:
    if not TRIALS.exists():
        return []
    return [Line(**json.loads(line)) for line in TRIALS.read_text(encoding="utf-8").splitlines()]


@contextmanager
def serving(model: str, state: Path) -> Iterator[str]:
    """A service with this model, on a store of its own. ANABRANCH_URL names one that runs already."""
    if url := os.environ.get("ANABRANCH_URL"):
        yield url
        return
    state.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"ANABRANCH_STATE": str(state), "ANABRANCH_MODEL": model}
    environment.setdefault("ANABRANCH_ENGINE_OPTIONS", '{"kv_cache_gib": 1, "max_model_len": 4096}')
    service = subprocess.Popen(
        [str(PROGRAM), "up", "--port", "0"], env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert service.stdout is not None
        ready = next((line for line in service.stdout if "ready" in line), None)
        if ready is None:
            sys.exit("the service did not start")
        yield ready.split()[-1]
    finally:
        service.terminate()
        service.wait()


if __name__ == "__main__":
    main()
