"""Describes AsyncThink's tags: `<FORK-i> sub-query </FORK-i>`, `<JOIN-i>`, `<ANSWER> … </ANSWER>`; a worker's
`<RETURN> … </RETURN>`.

Chi et al., "The Era of Agentic Organization" (arXiv 2510.26658), the thinking protocol. Kinds: `fork` (decoding goes
on), `join` and `answer` (stop), `return` (stops).

* A fork closes at any `</FORK-…>`. Under another number it is `mismatched`; so a forgotten closing mark costs no more
  than the next fork. A sub-query that holds a tag is `nested`: it would look like control to whoever reads it next.
* A join is its opening mark alone. Accounts of the paper differ on `</JOIN-i>`; whether the runtime writes one behind
  the result is the policy's choice, and one that the model writes is text.
* An answer and a return may speak of tags: their text is data, and is escaped where it is spliced.
* Prompted models write this protocol, too, and speak of its tags: in the lenient reading one in inline code is text.
* Whether an id was used before, was ever forked, or a worker is free is not for a grammar to know: policies judge that.
"""

from anabranch.dag.grammars.table import Rule, Table

_PAPER = "arXiv 2510.26658, thinking protocol"
MARKS = ("FORK-#", "JOIN-#", "ANSWER", "RETURN")

ASYNC_THINK = Table(
    name="async-think",
    source=f"{_PAPER}: organizer",
    marks=MARKS,
    quotes=True,
    rules=(
        Rule(kind="fork", opens="<FORK-#>", closes="</FORK-#>", literal=False),
        Rule(kind="join", opens="<JOIN-#>", stops=True),
        Rule(kind="answer", opens="<ANSWER>", closes="</ANSWER>", stops=True),
    ),
)
ASYNC_THINK_WORKER = Table(
    name="async-think-worker",
    source=f"{_PAPER}: worker",
    marks=MARKS,
    quotes=True,
    rules=(Rule(kind="return", opens="<RETURN>", closes="</RETURN>", stops=True),),
)
