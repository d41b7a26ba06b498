"""Describes ThreadWeaver's tags: `<Parallel><Outlines><Outline>n: …</Outline>…</Outlines><Thread>n:
…</Thread>…</Parallel>`.

Lian et al. (arXiv 2512.07843), the trajectory format and its inference state machine. Kinds: `plan` on the trunk,
`thread` in a thread; both stop.

* On the trunk only the plan is control, and `outline.outlines` reads it. `<Parallel>` before it and `</Parallel>`
  behind the threads are text: the released orchestrator looks at neither. A plan without a numbered outline is
  malformed (`no-outline`). The strict reading asks for outlines 1, 2, 3, … without a gap, at most 50, and nothing
  between them.
* A thread was opened by the runtime, so its closing mark is the whole tag, and the text before it is the thread.
  `<Parallel>`, `</Parallel>` and `<Thread>` in a thread are literal, as in the released token counting.
"""

from functools import partial

from anabranch.dag.grammars.outline import check_plan, departure
from anabranch.dag.grammars.table import Rule, Table

_PAPER = "arXiv 2512.07843"
MARKS = ("Parallel", "Outlines", "Outline", "Thread")
_FORM = partial(departure, dotted=False, most=50)

THREAD_WEAVER = Table(
    name="thread-weaver",
    source=f"{_PAPER}, trajectory format",
    marks=MARKS,
    rules=(
        Rule(kind="plan", opens="<Outlines>", closes="</Outlines>", stops=True, check=check_plan, form=_FORM),
    ),
)
THREAD_WEAVER_THREAD = Table(
    name="thread-weaver-thread",
    source=f"{_PAPER}, inference state machine",
    marks=MARKS,
    rules=(Rule(kind="thread", opens="</Thread>", stops=True),),
)
