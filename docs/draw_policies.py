"""Writes the last section of docs/policies.md: every policy with its parameters and a picture of one job.

The pictures are drawn from journals: each policy is run by the simulator with a script in place of a model.
"""

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from anabranch.dag import events as e
from anabranch.dag.analysis.graph import Node, NodeKind, ReasoningGraph, build
from anabranch.dag.analysis.metrics import longest_path, measure
from anabranch.dag.commands import Decode
from anabranch.dag.decoding import Decoded, Finish, Usage
from anabranch.dag.decoding.confidence import Confidence
from anabranch.dag.ids import BranchId, by_path
from anabranch.dag.job import JobSpec, Sampling
from anabranch.dag.policies.graphs.plan import Plan, Subtask
from anabranch.dag.policy import Param, PolicyInfo, catalogue
from anabranch.dag.simulator import EPOCH, Simulation
from anabranch.dag.text import say

PAGE = Path(__file__).parent / "policies.md"
MARK = "<!-- everything below is written by docs/draw_policies.py -->\n"
WIDTH = 64
"""Columns of the longest picture."""
CRITICAL, BESIDE, WASTE, ANSWER = "█", "▒", "░", "◆"


def words(count: int, last: str = "") -> str:
    """Text of so many tokens that ends as told."""
    return " ".join([*["word"] * (count - bool(last)), *([last] if last else [])])


def story(line: str, stride: int) -> str:
    """A stride of twelve tokens that only this line writes."""
    return " ".join(f"{line}{12 * stride + place}" for place in range(12))


# -- one job for each policy -------------------------------------------------------------------------------------------

Script = Mapping[str, str | Decoded | list[str]]


def sure(tokens: int, last: str, confidence: float, finish: Finish = Finish.EOS) -> Decoded:
    """A trace as a replica reports it, with how sure the model was."""
    measured = Confidence(mean=confidence, lowest=confidence, tokens=tokens)
    usage = Usage(completion_tokens=tokens)
    return Decoded(text=words(tokens, last), finish=finish, usage=usage, confidence=measured)


TRAINED = {"assist": "none"}
OUTLINES = "<Outline>1: a</Outline><Outline>2: b</Outline>"
CALL = """Moving to Node #0
Current State: 24:[3, 4, 6, 8], Operations: []
Generated Node #0,0: 24:[6, 8, 12] Operation: 3*4=12
Generated Node #0,1: 24:[3, 4, 2] Operation: 8-6=2
<Calling Sub Searches>
<Start Sub Search 0 at level 1> Moving to Node #0,0
<Start Sub Search 1 at level 1> Moving to Node #0,1
<End Calling Sub Searches>"""
PLAN = Plan(
    subtasks=tuple(
        Subtask(id=name, question=f"{name}?", after=after)
        for name, after in {"t1": (), "t2": (), "t3": ("t1",), "t4": ("t2", "t3")}.items()
    ),
    synthesis="Add.",
)

JOBS: Mapping[str, tuple[Mapping[str, Any], Script]] = {
    "sequential": ({}, {"0": words(40)}),
    "self-consistency": (
        {"n": 5},
        {
            "0.1": words(20, "19"), "0.2": words(34, "19"), "0.3": words(26, "18"), "0.4": words(40, "19"),
            "0.5": words(60),
        },
    ),
    "best-of-n": (
        {"n": 3},
        {"0.1": words(20), "0.2": words(32), "0.3": words(50), "0.4": "4", "0.5": "10", "0.6": "6"},
    ),
    "deep-conf": (
        {"n": 6, "warmup": 3, "keep": 1.0, "consensus": 1.0},
        {
            "0.1": sure(30, "19", 12.0), "0.2": sure(24, "18", 9.0), "0.3": sure(34, "19", 11.0),
            "0.4": sure(40, "19", 12.0), "0.5": sure(12, "", 8.0, Finish.UNSURE), "0.6": sure(30, "18", 11.0),
        },
    ),
    "dynasor": (
        {"n": 2, "interval": 10, "agree": 2},
        {
            "0.1": [words(10)] * 6, "0.1.1": "18}", "0.1.2": "19}", "0.1.3": "19}",
            "0.2": [words(10)] * 6, "0.2.1": "19}", "0.2.2": "19}",
        },
    ),
    "recursive-aggregation": (
        {"population": 3, "steps": 2},
        {
            "0.1": words(20, "5"), "0.2": words(34, "7"), "0.3": words(26, "6"), "0.4": words(18, "7"),
            "0.5": words(30, "7"), "0.6": words(24, "6"),
        },
    ),
    "auto": (
        {},
        {
            "0.1": words(2, "answer").replace("word", "easy"), "0.2": words(20, "19"), "0.3": words(34, "19"),
            "0.4": words(26, "18"), "0.5": words(40, "19"),
        },
    ),
    "skeleton-of-thought": (
        {},
        {"0": "1. Rent\n2. Trains\n3. Food\n", "0.1": "A", "0.2": words(30), "0.3": words(14), "0.4": words(22)},
    ),
    "tree-of-thoughts": (
        {"depth": 2, "k": 2, "beam": 1},
        {
            "0.1": words(16), "0.2": words(24, "b"), "0.3": "9", "0.4": "3",
            "0.5": words(22), "0.6": words(15, "d"), "0.7": "4", "0.8": "8",
        },
    ),
    "graph-of-thoughts": (
        {},
        {
            "0.1": words(10), "0.2": words(16), "0.3": words(24), "0.4": words(20), "0.5": "3", "0.6": "9", "0.7": "1",
            "0.8": "6", "0.9": words(10), "0.10": words(16), "0.11": words(12),
        },
    ),
    "mcts": (
        {"iterations": 5, "parallel": 2, "branching": 2},
        {f"0.{i}": (words(5 + i), words(9, f"r{i}"), "6" if i < 8 else "8")[(i - 1) % 3] for i in range(1, 16)},
    ),
    "async-think": (
        {**TRAINED, "c": 3},
        {
            "0": [
                f"{words(12, '<FORK-1>a</FORK-1>')} {words(9, '<FORK-2>b</FORK-2>')} {words(9, '<JOIN-1>')}",
                words(6, "<JOIN-2>"),
                words(10, "<ANSWER>59.76</ANSWER>"),
            ],
            "0.1": words(27, "<RETURN>39.95</RETURN>"),
            "0.2": words(18, "<RETURN>26.45</RETURN>"),
        },
    ),
    "thread-weaver": (
        TRAINED,
        {
            "0": [f"{words(8)} <Parallel><Outlines>{OUTLINES}</Outlines>", words(14)],
            "0.1": f"{words(26)} </Thread>", "0.2": f"{words(18)} </Thread>",
        },
    ),
    "multiverse": (
        TRAINED,
        {
            "0": [f"{words(8)} <Parallel><Goal>{OUTLINES}</Goal>", f"{words(8)} </Conclusion></Parallel> {words(6)}"],
            "0.1": f"{words(26)} </Path>", "0.2": f"{words(18)} </Path>",
        },
    ),
    "apr": (TRAINED, {"0": [CALL, words(10)], "0.1": words(20, "Reached"), "0.2": words(12, "solution")}),
    "parallel-r1": (
        TRAINED,
        {
            "0": [f"{words(8)} <Parallel>", f"{words(8)}</Summary>", words(8)],
            "0.1": f"{words(26)} </Path>", "0.2": f"{words(18)} </Path>",
        },
    ),
    "npr": (
        TRAINED,
        {
            "0": [
                "<guideline><plan>1: a</plan><plan>2: b</plan></guideline>",
                f"{words(8)} </takeaway> {words(6)}",
            ],
            "0.1": f"{words(26)} </step>", "0.2": f"{words(18)} </step>",
        },
    ),
    "para-thinker": ({"paths": 3}, {"0.1": words(60), "0.2": words(30), "0.3": words(50), "0.4": words(14)}),
    "group-think": (
        {"thinkers": 3, "stride": 8},
        {f"0.{i}": [words(8)] * 3 + [words(i * 2)] + [""] * 2 for i in (1, 2, 3)},
    ),
    "new-angles": (
        {"n": 2, "stride": 12, "tokens": 40},
        {
            "0.1": [story("a", 0), story("a", 1), words(8, "so \\boxed{5}")],
            "0.2": [story("a", 0)],
            "0.3": [story("c", 0), words(10, "so \\boxed{5}")],
        },
    ),
    "retrieval": (
        {"tools": ["files", "web"]},
        {"0.1": words(20, "[1]"), "0.2": words(32, "[6]"), "0.3": words(14, "[1]")},
    ),
    "hogwild": (
        {"stride": 12, "nudge": 0},
        {
            "0.1": [f"{words(9)}.\n\n", f"{words(10)}.\n\n", f"{words(8)} so \\boxed{{5}}.\n\n"],
            "0.2": [words(12), f"{words(5)}.\n\n", f"{words(11)}.\n\n", words(12)],
        },
    ),
    "plan": (
        {},
        {
            "0.1": words(8, PLAN.as_json()), "0.2": words(8), "0.3": words(28), "0.4": words(16), "0.5": words(8),
            "0.6": words(12),
        },
    ),
}  # fmt: skip


def run(name: str) -> Simulation:
    """One job of this policy, its model by rote."""
    params, script = JOBS[name]
    left = {branch: [*texts] if isinstance(texts, list) else [texts] for branch, texts in script.items()}

    def write(decode: Decode) -> str | Decoded:
        return left[decode.branch].pop(0)

    spec = JobSpec(
        messages=(say("user", "What is due?"),), policy=name, params=params, sampling=Sampling(max_tokens=500)
    )
    simulation = Simulation(spec, write, tool=lambda call: f"What {call.tool} says.")
    simulation.run()
    return simulation


# -- its picture -------------------------------------------------------------------------------------------------------


def picture(simulation: Simulation) -> str:
    """A row per branch, a column per token (or so many of them); the answer at the end of the trunk."""
    graph, metrics = build(simulation.records), measure(simulation.records)
    roles = {r.event.child: r.event.role for r in simulation.records if isinstance(r.event, e.BranchForked)}
    scale = -(-int(metrics.wall_seconds) // WIDTH) or 1
    rows = [
        f"{branch:<7}{roles.get(branch, 'trunk'):<11}{bar}".rstrip() for branch, bar in bars(graph, scale)
    ]
    told = (
        f"T {metrics.critical_path_tokens}   L {metrics.total_tokens}   P {metrics.parallelism:.2f}   "
        f"waste {metrics.waste_tokens}   (one column: {scale} token{'s' * (scale > 1)})"
    )
    return "\n".join([*rows, "", told])


def bars(graph: ReasoningGraph, scale: int) -> Iterator[tuple[BranchId, str]]:
    critical, used = set(longest_path(graph)[1]), graph.leading_to(graph.end or "start")
    for branch in sorted(graph.branches, key=by_path):
        line = [" "] * (WIDTH + 2)
        for node in (each for each in graph.nodes() if each.branch == branch):
            ink = CRITICAL if node.id in critical else BESIDE
            if node.id not in used or branch in graph.pruned:
                ink = WASTE
            draw(line, node, ink, scale)
        yield branch, "".join(line).rstrip()


def draw(line: list[str], node: Node, ink: str, scale: int) -> None:
    begin, end = ((at - EPOCH.timestamp()) / scale for at in (node.started_at, node.finished_at))
    if node.kind is NodeKind.ANSWER:
        line[round(end)] = ANSWER
    elif node.kind is NodeKind.SEGMENT:
        for column in range(round(begin), max(round(end), round(begin) + 1)):
            line[column] = ink


# -- the section -------------------------------------------------------------------------------------------------------


def section(info: PolicyInfo) -> str:
    lines = [
        f"### {info.name}",
        "",
        f"*{info.title}* ({info.paper}). {' '.join(info.use_when.split())}"
        + (
            " With `assist: none` it reads thoughts, too, as its model writes them."
            if info.raw_thoughts
            else ""
        ),
        "",
        *parameters(info),
        "```text",
        picture(run(info.name)),
        "```",
        "",
    ]
    return "\n".join(lines)


def parameters(info: PolicyInfo) -> Iterator[str]:
    """A table of the keyword-only arguments and the presets, if there are any."""
    hints = get_type_hints(info.function, include_extras=True)
    told = (f"`{name}`: {preset.about}" for name, preset in info.presets.items())
    rows = (
        [f"| `preset` | `None` | parameters of a published example. {' '.join(told)} |"]
        if info.presets
        else []
    )
    for name, parameter in inspect.signature(info.function).parameters.items():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            kind, *notes = get_args(hints[name])
            [param] = [note for note in notes if isinstance(note, Param)]
            choices = [str(each) for each in get_args(kind)] if get_origin(kind) is Literal else []
            untold = f" ({', '.join(choices)})" if any(each not in param.doc for each in choices) else ""
            rows.append(f"| `{name}` | {shown(parameter.default)} | {param.doc}{untold} |")
    if rows:
        yield from ("| parameter | default | meaning |", "|---|---|---|", *rows, "")


def shown(default: Any) -> str:
    """A default as a table can hold it."""
    text = repr(default)
    return f"`{text}`" if len(text) <= 24 else "see the code"


def page() -> str:
    """The page as it should be."""
    kept, _, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    return kept + MARK + "\n" + "\n".join(section(catalogue()[name]) for name in JOBS)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
