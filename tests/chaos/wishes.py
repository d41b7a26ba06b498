"""What is asked for in the simulated world, and what its engine says to it."""

import json
import random
from typing import Any

from anabranch.dag.job import Budget, JobSpec, Sampling
from anabranch.dag.text import say
from anabranch.workers.engines.script import Line, rendered
from anabranch.workers.messages import DecodeRequest

PLAN = {
    "subtasks": [
        {"id": "a", "question": "Find A.", "after": []},
        {"id": "b", "question": "Find B.", "after": []},
        {"id": "c", "question": "Find C from A and B.", "after": ["a", "b"]},
    ],
    "synthesis": "Add them.",
}


def script(request: DecodeRequest) -> Line:
    """What every decode says, by what it reads: the same after any number of deaths."""
    branch, text = request.key.branch, rendered(request.context)
    if request.decoding.structure is not None:
        return Line(text=json.dumps(PLAN))
    if (request.decoding.grammar or "").startswith("async-think"):
        if branch != "0":
            return Line(text="let me see what comes of it <RETURN>42</RETURN>")
        if "<JOIN-2>" in request.context.continuation:
            return Line(text="so <ANSWER>42</ANSWER>")
        if "<JOIN-1>" in request.context.continuation:
            return Line(text="and then <JOIN-2>")
        return Line(text="I ask <FORK-1>one</FORK-1> and <FORK-2>two</FORK-2> and wait <JOIN-1>")
    words = "so it goes " * (3 + len(text) % 7)
    return Line(text=f"{words} \\boxed{{42}}")


def wishes(dice: random.Random, *, wide: bool = False) -> JobSpec:
    """A job as somebody might want it; `wide`: with many siblings, and a budget for second decodes."""
    choices: list[tuple[str, dict[str, Any]]] = [
        ("sequential", {}),
        ("self-consistency", {"n": 3}),
        ("self-consistency", {"n": 8, "stop": "all"}),
        ("plan", {}),
        ("async-think", {"assist": "none"}),
    ]
    policy, params = ("self-consistency", {"n": 8, "stop": "all"}) if wide else dice.choice(choices)
    return JobSpec(
        messages=(say("user", "What is six times seven?"),),
        policy=policy,
        params=params,
        seed=dice.randrange(1000),
        sampling=Sampling(max_tokens=100),
        budget=Budget(
            tokens=dice.choice([None, None, 1500 if wide else 150]),
            seconds=dice.choice([None, None, 8.0]),
            cost=dice.choice([None, None, 15.0 if wide else 1.5]),
        ),
        priority=dice.randrange(10),
        approvals=dice.choice([(), (), ("answer",), ("fork",)]),
    )
