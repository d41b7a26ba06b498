"""Describes NPR's tags: `<guideline><plan>n: …</plan>…</guideline><step>n: …</step>…<takeaway>…</takeaway>`.

Wu et al., Native Parallel Reasoner (arXiv 2512.07461), and its engine. Kinds: `plan` on the trunk, `step` in a step;
both stop.

* Blocks do not nest: in a step only `</step>` is control, and a guideline there is text.
* The engine takes one to five plans, each with a number; a guideline with none is malformed (`no-outline`), one with
  more is `too-many` to the strict reading and to the policy. Numbers may be dotted.
* `<takeaway>` is written by the runtime behind the steps; `</takeaway>` is text, and the trunk goes on behind it.
"""

from functools import partial

from anabranch.dag.grammars.outline import check_plan, departure
from anabranch.dag.grammars.table import Rule, Table

_PAPER = "arXiv 2512.07461"
PLAN = "plan"
MOST = 5
"""Plans that the published engine takes."""
MARKS = ("guideline", "plan", "step", "takeaway")
_CHECK = partial(check_plan, item=PLAN)
_FORM = partial(departure, dotted=False, most=MOST, item=PLAN)

NPR = Table(
    name="npr",
    source=f"{_PAPER}, structured trajectory",
    rules=(
        Rule(kind="plan", opens="<guideline>", closes="</guideline>", stops=True, check=_CHECK, form=_FORM),
    ),
    marks=MARKS,
)
NPR_STEP = Table(
    name="npr-step",
    source=f"{_PAPER}: a step",
    rules=(Rule(kind="step", opens="</step>", stops=True),),
    marks=MARKS,
)
