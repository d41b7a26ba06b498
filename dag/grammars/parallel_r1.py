"""Describes Parallel-R1's tags: `<Parallel><Path>…</Path><Path>…</Path></Parallel>` and `<Summary>…</Summary>`.

Zheng et al. (arXiv 2509.07980) and the released rollout. Kinds: `parallel` on the trunk, `path` in a path, `summary` in
a summary; all stop.

* There is no plan: all paths are the same request under different seeds. On the trunk `<Parallel>` is the whole tag.
* `<Path>` and `<Summary>` are written by the runtime, so in a path and in a summary the closing mark is the whole tag.
  Blocks do not nest: `<Parallel>` is text there.
"""

from anabranch.dag.grammars.table import Rule, Table

_PAPER = "arXiv 2509.07980, released rollout"
MARKS = ("Parallel", "Path", "Summary")

PARALLEL_R1 = Table(
    name="parallel-r1",
    source=_PAPER,
    rules=(Rule(kind="parallel", opens="<Parallel>", stops=True),),
    marks=MARKS,
)
PARALLEL_R1_PATH = Table(
    name="parallel-r1-path",
    source=f"{_PAPER}: a path",
    rules=(Rule(kind="path", opens="</Path>", stops=True),),
    marks=MARKS,
)
PARALLEL_R1_SUMMARY = Table(
    name="parallel-r1-summary",
    source=f"{_PAPER}: a summary",
    rules=(Rule(kind="summary", opens="</Summary>", stops=True),),
    marks=MARKS,
)
