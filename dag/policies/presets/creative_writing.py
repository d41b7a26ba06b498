"""Presets creative writing (Yao et al., arXiv 2305.10601, section 4.2): a plan chosen by vote, then a text chosen by
vote.

The question holds the sentences with which the four paragraphs are to end.
"""

from anabranch.dag.policy import Preset

PLAN = """\
Make a short plan of a coherent text of four paragraphs. Each paragraph ends with one of the given sentences, in their \
order. Write the plan alone, one line for each paragraph.
{question}
Plan:
"""
PASSAGE = """\
Write a coherent text of four short paragraphs that follows the plan. Each paragraph ends with one of the given \
sentences, in their order. Write the text alone.
{question}
Plan:
{steps}
Text:
"""
VOTE = """\
Several solutions of one task follow. Compare them: does each paragraph end as it was asked, and is the whole \
coherent? Then say on the last line which is the best, as in "The best is 2".
{question}

{candidates}
"""

CREATIVE_WRITING = Preset(
    "The question gives four sentences with which paragraphs are to end. Five plans and a vote, five texts and a vote.",
    {
        "depth": 2,
        "k": 5,
        "beam": 1,
        "generate": "sample",
        "evaluate": "vote",
        "votes": 5,
        "temperature": 1.0,
        "step_prompt": PLAN,
        "last_prompt": PASSAGE,
        "vote_prompt": VOTE,
    },
)
