"""What the scripted engine recites in the demonstration: a plan with parts, some of which need others."""

import json
from typing import Any

QUESTION = "We are two and have 500 euros: what do train, hotel and museum cost in all, and is it enough?"
EDITED_BRANCH, EDIT = (
    "0.2",
    "The night train is sold out. By day it is 210 euros a person: 420 euros for two.",
)
"""What a person makes of the first part's output."""

PLAN = {
    "subtasks": [
        {"id": "t1", "question": "What does the train cost for two?", "after": []},
        {"id": "t2", "question": "What does the hotel cost for two?", "after": []},
        {"id": "t3", "question": "What does the museum cost for two?", "after": []},
        {"id": "t4", "question": "What do all three cost together?", "after": ["t1", "t2", "t3"]},
    ],
    "synthesis": "Compare the sum with what there is.",
}
SAYS = {
    "0.2": "The day trains are dear, and slow. The night train is 80 euros a person, both ways, with a seat in the "
    "price, and it leaves at ten. For two that makes 160 euros.",
    "0.3": "A hotel with a view is out of reach. A plain double room near the station is 95 euros a night, with a "
    "breakfast, and it is quiet. For two nights that makes 190 euros.",
    "0.4": "The museum is free on the first Sunday of a month, and this is the second one. A ticket is 15 euros, "
    "whoever asks for it. For two that makes 30 euros.",
}
TOKENS_PER_SECOND = 16.0
"""Slow enough to be watched, and to be killed in the midst of it."""


def script() -> dict[str, Any]:
    """The script in its JSON form (`workers/engines/script.py`). Sum and answer follow the train's price, so that they
    tell whether a branch has read the edit."""
    rules: list[dict[str, Any]] = [
        {"branch": "0.1", "matches": "You plan how", "text": json.dumps(PLAN, separators=(",", ":"))},
        *({"branch": branch, "matches": "Only this part", "text": text} for branch, text in SAYS.items()),
        {"branch": "0.5", "matches": "420 euros", "text": "420 and 190 and 30 make 640 euros."},
        {"branch": "0.5", "matches": "Only this part", "text": "160 and 190 and 30 make 380 euros."},
        {"branch": "0.6", "matches": "640 euros", "text": "It costs 640 euros: 140 more than there are."},
        {"branch": "0.6", "matches": "380 euros", "text": "It costs 380 euros: enough, and 120 are left."},
    ]
    return {"rules": rules, "tokens_per_second": TOKENS_PER_SECOND}
