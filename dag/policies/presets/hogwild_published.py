"""Presets Hogwild! as it was released (Rodionov et al., arXiv 2504.06261): what workers are told, how they begin, how
they end.

The words are ours; what they say, and the rules of steps, nudges and the finisher, are those of the released code
(protocols.md sections 7 and 13).
"""

from anabranch.dag.policy import Preset

SYSTEM = """\
# Working together

You are {me}. You solve this problem together with {others}. All of you write at the same time, and each sees what the \
others have written. Share the work: take different parts, check each other's results, try different ways.

Under "Past steps" stand the finished steps of all, each behind its writer's name and number. Under "Work in progress \
(others)" stand the steps that the others are writing just now; they end in <...> and will go on. Your own step comes \
last: go on with it.

Before each step look at what the others do. If they do what you do, or have done it, stop and take something else; if \
one of them tells you something, take it up. Keep steps short, and end each with a blank line. Whoever is sure of the \
final answer writes it in \\boxed{}."""
PRIMER = " Hi, I'm {me}. Let us first agree who does what, so that nothing is done twice."
FINISHER = (
    "\n\nThe time is over, and I must answer now. From all that we have found, the final answer is \\boxed{"
)

HOGWILD_PUBLISHED = Preset(
    "Two workers with a system prompt, a first step and a finisher; a step ends only behind . ? ! … and their forms in "
    "Chinese and Japanese.",
    {
        "workers": 2,
        "layout": "combined",
        "steps": "strict",
        "nudge": 256,
        "system_prompt": SYSTEM,
        "primer": PRIMER,
        "finisher": FINISHER,
    },
)
