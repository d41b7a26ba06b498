"""Lifelike journals for pages and speed tests: small stories of every kind, and forests of a thousand nodes and more.

python tests/browser/journals.py NAME [--nodes N] [--seed S]     writes the events of one journal as JSON
"""

import argparse
import json
import random
import sys
from collections.abc import Callable
from typing import Any

from tests.browser.simulated import START, Decode, Event, Join, Process, Simulation, Sleep

WORDS = (
    "so the remainder is seven and therefore we try the next divisor which leaves three over; "
    "the sum of both sides grows with the square of the width, hence the bound holds for even counts "
    "let us check the small case first: two towers, one bridge, no crossing; it works as expected "
    "suppose the river splits above the town and joins again below it, then every boat passes once"
).split()

QUESTION = (
    "A river splits into three arms above the old town and they rejoin below it. Boats may not turn back. "
    "In how many ways can five boats pass so that no arm carries more than two of them?"
)


def prose(chance: random.Random, words: int) -> str:
    start = chance.randrange(len(WORDS))
    return " ".join(WORDS[(start + i) % len(WORDS)] for i in range(words)).capitalize() + "."


def spec(policy: str, params: dict[str, Any], question: str = QUESTION, **more: Any) -> dict[str, Any]:
    return {
        "messages": [{"role": "user", "parts": [question]}],
        "policy": policy,
        "params": params,
        "sampling": {"temperature": 0.7, "max_tokens": 1024},
        "seed": 7,
        **more,
    }


def answer(sim: Simulation, text: str, sources: tuple[str, ...] = ()) -> None:
    """Commit the answer, cancel what still runs, end trunk and job."""
    sim.write("AnswerCommitted", text=text, sources=sources)
    for ordinal in range(1, sim.branches["0"].children + 1):
        sim.cancel(f"0.{ordinal}", "the answer was given")
    sim.end("0", value=text)
    sim.write("JobSucceeded")


def line_of_thought(sim: Simulation, branch: str, tokens: list[int], prompt: int) -> Process:
    """A branch that decodes these segments one after another and returns the last one's text."""
    text = ""
    for size in tokens:
        text = prose(sim.random, min(60, size // 4 + 8))
        cached = int(prompt * sim.random.choice((0, 0.5, 0.9)))
        yield Decode(branch=branch, tokens=size, prompt=prompt, text=text, cached=cached)
        prompt += size
    sim.end(branch, value=text)


def thought(sim: Simulation, tokens: list[int], prompt: int = 420) -> Callable[[str], Process]:
    return lambda branch: line_of_thought(sim, branch, tokens, prompt)


# -- small stories -----------------------------------------------------------------------------------------------------


def vote(sim: Simulation, n: int = 8, straggler: int = 0) -> Process:
    """Self-consistency: n samples, joined as they come, the majority wins; the last may be cancelled."""
    sizes = [sim.random.randint(160, 420) for _ in range(n)]
    if straggler:
        sizes[straggler - 1] = 1900
    samples = tuple(sim.fork("0", "sample", f"sample {i + 1}", thought(sim, [sizes[i]])) for i in range(n))
    answers = {
        branch: "21" if sim.random.random() < 0.7 else str(sim.random.randint(18, 30)) for branch in samples
    }
    pending = list(samples)
    seen: list[str] = []
    while pending and (straggler or len(seen) <= n * 3 // 4):
        (first,) = yield Join(branch="0", targets=tuple(pending), need=1)
        pending.remove(first)
        seen.append(first)
    classes = sorted({answers[b] for b in seen}, key=lambda a: -sum(answers[b] == a for b in seen))
    sim.write(
        "BranchesVoted",
        classes=[
            {
                "answer": a,
                "branches": [b for b in seen if answers[b] == a],
                "weight": sum(answers[b] == a for b in seen),
            }
            for a in classes
        ],
        winner=classes[0],
        decided=True,
    )
    answer(sim, classes[0], tuple(b for b in seen if answers[b] == classes[0]))


def organizer(sim: Simulation, forks: int = 5) -> Process:
    """AsyncThink: the trunk goes on decoding between its forks, then joins them one by one."""
    labels = (
        "Count the ways for one arm",
        "Exclude the crowded arms",
        "Check with two boats",
        "Bound from above",
    )
    children = []
    for ordinal in range(forks):
        yield Decode(
            branch="0",
            tokens=sim.random.randint(40, 110),
            prompt=300,
            text=prose(sim.random, 24),
            finish="tag",
        )
        label = labels[ordinal % len(labels)]
        children.append(sim.fork("0", "worker", label, thought(sim, [sim.random.randint(150, 600)])))
    for child in children:
        yield Join(branch="0", targets=(child,), need=1)
        yield Decode(
            branch="0",
            tokens=sim.random.randint(20, 80),
            prompt=900,
            text=prose(sim.random, 16),
            finish="tag",
        )
    answer(sim, "There are 180 ways.", tuple(children))


def plan(sim: Simulation) -> Process:
    """A plan whose tasks wait for one another: a DAG that is not series-parallel."""
    yield Decode(branch="0", tokens=180, prompt=260, text='{"tasks": ["…"]}', finish="eos")
    a = sim.fork("0", "task", "List the arms", thought(sim, [210]))
    b = sim.fork("0", "task", "List the boats", thought(sim, [150]))
    c = sim.fork("0", "task", "Combine arms and boats", thought(sim, [330]), after=(a, b))
    d = sim.fork("0", "task", "Count the exclusions", thought(sim, [260]), after=(b,))
    e = sim.fork("0", "task", "Subtract", thought(sim, [120]), after=(c, d))
    yield Join(branch="0", targets=(a, b, c, d, e))
    yield Decode(branch="0", tokens=90, prompt=1400, text="All parts agree: **180** ways.", finish="eos")
    answer(sim, "180", (e,))


def approval(sim: Simulation, seconds: float = 8040.0, waits: bool = False) -> Process:
    """A person must accept the plan first; with `waits` nobody has yet."""
    yield Decode(branch="0", tokens=140, prompt=260, text=prose(sim.random, 40))
    parts = ("Count the ways for one arm", "Exclude the crowded arms", "Check with two boats")
    subject = "\n".join(["Fork three branches:", *(f"{i}. {part}" for i, part in enumerate(parts, 1))])
    sim.write("ApprovalRequested", approval=1, gate="fork", subject=subject)
    if waits:
        return
    yield Sleep(seconds)
    sim.write("ApprovalDecided", approval=1, decision="approve", by="m.curie", reason="looks complete")
    threads = tuple(
        sim.fork("0", "thread", f"part {i}", thought(sim, [sim.random.randint(120, 380)])) for i in (1, 2, 3)
    )
    yield Join(branch="0", targets=threads)
    yield Decode(branch="0", tokens=110, prompt=1500, text=prose(sim.random, 30))
    answer(sim, "180", threads)


def faulty(sim: Simulation, dies: bool = False) -> Process:
    """One branch is retried after its replica died, one fails for good; with `dies` the job fails too."""

    def retried(branch: str) -> Process:
        yield Decode(
            branch=branch, tokens=80, prompt=400, text="So far", finish="error", fault="replica-died"
        )
        sim.retry(branch, "replica-died")
        yield from line_of_thought(sim, branch, [260], 400)

    def lost(branch: str) -> Process:
        for attempt in range(2):
            yield Decode(
                branch=branch, tokens=30, prompt=400, text="Th", finish="error", fault="engine-error"
            )
            if attempt == 0:
                sim.retry(branch, "engine-error")
        sim.end(branch, "BranchFailed", cause="engine-error", detail="the engine refused twice", attempts=2)

    children = (
        sim.fork("0", "thread", "steady", thought(sim, [240])),
        sim.fork("0", "thread", "retried", retried),
        sim.fork("0", "thread", "lost", lost),
    )
    yield Join(branch="0", targets=children)
    if dies:
        sim.end("0", "BranchFailed", cause="no-answer", detail="two of three parts are missing")
        sim.write(
            "JobFailed",
            type="no-answer",
            title="No answer was found",
            detail="Two of three parts are missing.",
        )
        return
    yield Decode(branch="0", tokens=120, prompt=900, text=prose(sim.random, 30))
    answer(sim, "180, without the third part", children[:2])


def sequential(sim: Simulation) -> Process:
    """One line of thought, by a model that thinks before it writes."""
    yield Decode(
        branch="0",
        tokens=640,
        prompt=260,
        text=prose(sim.random, 60),
        thought="Wait: " + prose(sim.random, 160),
        thought_tokens=420,
    )
    answer(sim, "180", ("0",))


HOSTILE = """<img src=x onerror="window.owned=1"><script>window.owned=1</script> [a](javascript:window.owned=1)
[b](JaVaScRiPt:window.owned=1) ![c](https://elsewhere.example/spy.png) <svg onload=window.owned=1> [d]: javascript:x
<https://elsewhere.example/?q=1> <javascript:window.owned=1> &lt;script&gt;owned()&lt;/script&gt; [e](//x.example)
$\\href{javascript:window.owned=1}{x}$ $\\htmlStyle{background:url(https://elsewhere.example)}{x}$ $\\unicode{<b>}$
$\\includegraphics{https://elsewhere.example/y.png}$ $\\htmlId{root}{x}$ $\\rule{9999em}{9999em}$ $\\def\\a{\\a\\a}\\a$
$\\color{red;background:url(//elsewhere.example)}{x}$ $\\fcolorbox{red}{blue}{x}$ $\\kern-200em\\text{Approve}$

| <b onclick="window.owned=1">x</b> | y |
|---|---|
| `<script>window.owned=1</script>` | <iframe src="javascript:window.owned=1"> |

```"><script>window.owned=1</script>
</code></pre><script>window.owned=1</script>
```
"""
"""Text that would do something if it became markup. No file of it comes, whatever is drawn."""


def treatise(sim: Simulation, letters: int = 300_000, formulas: int = 500) -> Process:
    """A model writes Markdown with many formulas, hostile here and there, and more than anybody reads."""
    parts = [
        "# On boats\n\nIt costs $5 and $6; e\u0301"
        + "\u0301" * 30
        + " \u202egnp.exe\u202c zero\u200bwidth\n",
        HOSTILE,
    ]
    for ordinal in range(formulas):
        left = ordinal % 7 + 1
        parts.append(
            f"\n## Step {ordinal}\n\n{prose(sim.random, 40)} With $x_{{{ordinal}}} = \\frac{{{left}}}{{n^2}}$ **so**:\n"
            f"\n- {prose(sim.random, 24)}\n- {prose(sim.random, 24)}\n"
        )
        if ordinal % 25 == 0:
            parts.append(
                "\n```python\nfor boat in boats:\n    print(boat)\n```\n\n| arm | boats |\n|---|--:|\n| 1 | 2 |\n"
            )
    text = "".join(parts)
    text += prose(sim.random, max(1, (letters - len(text)) // 6))
    yield Decode(branch="0", tokens=9000, prompt=260, text=text, thought=HOSTILE, thought_tokens=80)
    answer(sim, text, ("0",))


# -- forests -----------------------------------------------------------------------------------------------------------


def forest(sim: Simulation, nodes: int) -> Process:
    """Rounds of wide forks, some of whose branches fork again, until the journal has about this many nodes."""

    def bough(branch: str) -> Process:
        yield Decode(
            branch=branch, tokens=sim.random.randint(30, 240), prompt=600, text=prose(sim.random, 20)
        )
        twigs = tuple(
            sim.fork(branch, "twig", f"case {i}", thought(sim, [sim.random.randint(30, 160)], 700))
            for i in range(1, sim.random.randint(2, 6))
        )
        yield Join(branch=branch, targets=twigs)
        yield from line_of_thought(sim, branch, [sim.random.randint(20, 90)], 900)

    made = 0
    last: tuple[str, ...] = ()
    while made < nodes - 30:
        yield Decode(branch="0", tokens=sim.random.randint(40, 160), prompt=500, text=prose(sim.random, 20))
        width = min(sim.random.choice((3, 5, 9, 24, 60)), max(3, (nodes - made) // 4))
        children = []
        for i in range(1, width + 1):
            segments = [sim.random.randint(40, 300) for _ in range(sim.random.choice((1, 1, 1, 2, 3)))]
            run = bough if sim.random.random() < 0.15 else thought(sim, segments)
            children.append(sim.fork("0", "branch", f"idea {i}", run))
        last = tuple(children)
        yield Join(branch="0", targets=last)
        made = sum(of.segments + of.joins for of in sim.branches.values())
    answer(sim, "180", last[:3])


def star(sim: Simulation, nodes: int) -> Process:
    """One fork of very many branches, one join."""
    children = tuple(
        sim.fork("0", "sample", f"sample {i}", thought(sim, [int(sim.random.lognormvariate(5.2, 0.5))]))
        for i in range(1, nodes - 2)
    )
    yield Join(branch="0", targets=children)
    answer(sim, "180", children[:5])


Story = Callable[[Simulation], Process]
STORIES: dict[str, tuple[str, dict[str, Any], int, Story]] = {
    "vote": ("self-consistency", {"n": 8}, 16, vote),
    "straggler": ("self-consistency", {"n": 8}, 16, lambda sim: vote(sim, straggler=7)),
    "queue": ("self-consistency", {"n": 12}, 3, lambda sim: vote(sim, 12)),
    "organizer": ("async-think", {"capacity": 5}, 16, organizer),
    "plan": ("plan", {}, 16, plan),
    "approval": ("thread-weaver", {}, 16, approval),
    "waiting": ("thread-weaver", {}, 16, lambda sim: approval(sim, waits=True)),
    "faulty": ("thread-weaver", {}, 16, faulty),
    "failed": ("thread-weaver", {}, 16, lambda sim: faulty(sim, dies=True)),
    "sequential": ("sequential", {}, 16, sequential),
    "treatise": ("sequential", {}, 16, treatise),
}
FORESTS: dict[str, tuple[str, Callable[[Simulation, int], Process]]] = {
    "forest": ("tree-of-thoughts", forest),
    "star": ("self-consistency", star),
}


def journal(
    name: str, *, nodes: int = 1000, seed: int = 7, job: str = "", start: float = START
) -> list[Event]:
    """The events of one journal. `nodes` is for the forests only; the same arguments give the same journal."""
    job = job or f"0195c000-0000-7000-8000-{seed:012x}"
    if name in FORESTS:
        policy, grow = FORESTS[name]
        sim = Simulation(job=job, seed=seed, slots=48, replicas=4, start=start)
        sim.submit(spec(policy, {}, budget={"branches": nodes}))
        return sim.run(grow(sim, nodes))
    policy, params, slots, story = STORIES[name]
    sim = Simulation(job=job, seed=seed, slots=slots, start=start)
    sim.submit(spec(policy, params, approvals=["fork"] if name in {"approval", "waiting"} else []))
    return sim.run(story(sim))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=[*STORIES, *FORESTS])
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    json.dump(journal(args.name, nodes=args.nodes, seed=args.seed), sys.stdout, ensure_ascii=False)


if __name__ == "__main__":
    main()
