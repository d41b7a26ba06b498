"""Helps models that were not trained for APR's format to write it."""

from anabranch.dag.decoding import Structure

INSTRUCTION = """\
You search in parallel. First call one sub search for each part of the question. A sub search asks for one thing only, \
and makes sense alone: whoever does it sees nothing else. The results then take the place of the call, and you answer.

Example question: Who wrote Hamlet, Faust and Emma?
<Calling Sub Searches>
<Start Sub Search 0 at level 1> Moving to Node #0,0: Who wrote Hamlet?
<Start Sub Search 1 at level 1> Moving to Node #0,1: Who wrote Faust?
<Start Sub Search 2 at level 1> Moving to Node #0,2: Who wrote Emma?
<End Calling Sub Searches>"""
CUE = "The answer:"
"""Behind the results, without which a small model goes on listing them."""
CALLING = "<Calling Sub Searches>"
ASSISTED_WIDTH = 4


def call(limit: int) -> Structure:
    """The form of a call of 1 to 4 sub searches, for models that were not trained for it."""
    line = r"<Start Sub Search {n} at level 1> Moving to Node #0,{n}: [A-Z][^<>\n]{{8,160}}\n"
    optional = ""
    for n in range(min(limit, ASSISTED_WIDTH) - 1, 0, -1):
        optional = f"({line.format(n=n)}{optional})?"
    return Structure(regex=f"{CALLING}\n{line.format(n=0)}{optional}<End Calling Sub Searches>")
