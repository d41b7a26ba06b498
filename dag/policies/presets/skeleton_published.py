"""Presets Skeleton-of-Thought as published (Ning et al., arXiv 2307.15337, section 2): an organizer's skeleton, points
at once.

The words are ours, after what the paper asks for: 3 to 10 points of 3 to 5 words, then one or two sentences each.
"""

from anabranch.dag.policy import Preset

SKELETON = """\
You are the organizer of this answer: you give its skeleton, not its content. Write the skeleton as a numbered list of \
3 to {points} points. A point is no sentence, it has only 3 to 5 words."""
POINT = """\
You write one point of the answer and leave the others to others. Go on with point {number}, "{point}", very shortly: \
one or two sentences, and not a word about another point."""

SKELETON_PUBLISHED = Preset(
    "The paper's form without a router: an organizer writes 3 to 10 points of 3 to 5 words, a writer takes each.",
    {"router": "off", "points": 10, "skeleton_prompt": SKELETON, "point_prompt": POINT},
)
