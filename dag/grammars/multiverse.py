"""Describes Multiverse's tags: `<Parallel><Goal><Outline>n: …</Outline>…</Goal><Path>n:
…</Path>…<Conclusion>…</Conclusion></Parallel>`.

Yang et al. (arXiv 2506.09991), the MapReduce structure. Kinds: `plan` (stops), `conclusion` (decoding goes on), and in
a path `path` (stops).

* Blocks nest: a path may plan paths of its own, numbered 1.1, 1.2, …, so in a path both `</Goal>` and `</Path>` stop.
  The inner paths are branches of their own; the first `</Path>` in a path's text is therefore its own.
* `<Path>` and `<Conclusion>` are written by the runtime, so their closing marks are the whole tag, and the text before
  is what they close. The conclusion's ends the reduce step, which so gets a segment of its own.
* `<Parallel>` and `</Parallel>` are text. A plan without a numbered outline is malformed (`no-outline`). The strict
  reading asks for outlines 1, 2, 3, … behind one common prefix; the paper gives no upper limit.
"""

from functools import partial

from anabranch.dag.grammars.marks import NUMBER, any_mark
from anabranch.dag.grammars.outline import check_plan, departure
from anabranch.dag.grammars.table import Rule, Table

_PAPER = "arXiv 2506.09991, MapReduce structure"
MARKS = ("Parallel", "Goal", "Outline", "Path", "Conclusion")
_MARK = any_mark(NUMBER)
_FORM = partial(departure, dotted=True, most=None)
_TRUNK = (
    Rule(kind="plan", opens="<Goal>", closes="</Goal>", stops=True, check=check_plan, form=_FORM),
    Rule(kind="conclusion", opens="</Conclusion>"),
)

MULTIVERSE = Table(name="multiverse", source=_PAPER, rules=_TRUNK, marks=MARKS)
MULTIVERSE_PATH = Table(
    name="multiverse-path",
    source=f"{_PAPER}: a path, perhaps with blocks of its own",
    rules=(*_TRUNK, Rule(kind="path", opens="</Path>", stops=True)),
    marks=MARKS,
)

_MARKS = {
    "<parallel>": "(", "<goal>": "g", "<outline>": "o", "</outline>": "/", "</goal>": "G",
    "<path>": "p", "</path>": "P", "<conclusion>": "c", "</conclusion>": "C", "</parallel>": ")",
}  # fmt: skip
_NEXT = {"(": "g", "g": "o", "o": "/", "/": "oG", "G": "p", "p": "P", "P": "pc", "c": "C", "C": ")"}
"""Within a block: what may follow each of its own marks. Whole blocks may stand between any two."""


def whole_blocks(text: str) -> bool:
    """Whether all marks in a path's text belong to whole blocks, nested or not: then it can be spliced as it stands."""
    blocks: list[str] = []
    """Of each block that is open, from the outermost: its last own mark."""
    for found in _MARK.findall(text):
        mark = _MARKS.get("".join(found.split()).lower(), "")
        if mark == "(":
            blocks.append(mark)
        elif not mark or not blocks or mark not in _NEXT[blocks[-1]]:
            return False
        elif mark == ")":
            blocks.pop()
        else:
            blocks[-1] = mark
    return not blocks
