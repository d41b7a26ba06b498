"""Helps models that were not trained for AsyncThink's tags to write them: an example, and a form to keep to."""

from collections.abc import Iterable, Sequence

from anabranch.dag.decoding import Structure

ORGANIZER = """\
You organize a team. You solve no part yourself: you fork it to a worker, and join the worker's result.
First write one <FORK-i>sub-query</FORK-i> for each part of the question, i = 1, 2, … at most {workers}. \
A sub-query asks for one thing only, and makes sense alone: a worker sees nothing else. Then write <JOIN-i> to get \
result i. When you have all results, write <ANSWER>the answer</ANSWER>.

Example question: Who wrote Hamlet, Faust and Emma?
<FORK-1>Who wrote Hamlet?</FORK-1>
<FORK-2>Who wrote Faust?</FORK-2>
<FORK-3>Who wrote Emma?</FORK-3>
<JOIN-1>William Shakespeare wrote Hamlet.</JOIN-1>
<JOIN-2>Johann Wolfgang von Goethe wrote Faust.</JOIN-2>
<JOIN-3>Jane Austen wrote Emma.</JOIN-3>
<ANSWER>Hamlet is by William Shakespeare, Faust by Johann Wolfgang von Goethe, Emma by Jane Austen.</ANSWER>"""

WORKER = "Answer in one short sentence."


def next_actions(c: int, workers: Iterable[str], joined: Sequence[str]) -> Structure:
    """The organizer's legal next actions as a pattern, for a model that does not know them by heart."""
    waiting = [ident for ident in workers if ident not in joined]
    if waiting:
        return Structure(regex=f"<JOIN-{waiting[0]}>")
    if joined:
        return Structure(regex=r"<ANSWER>[^<>]{1,600}</ANSWER>")
    forks = ""
    for ident in range(c - 1, 0, -1):
        fork = rf"<FORK-{ident}>[A-Z][^<>\n]{{8,160}}</FORK-{ident}>\n"
        forks = f"{fork}({forks})?" if forks and ident > 1 else fork + forks
    return Structure(regex=f"{forks}<JOIN-1>")
