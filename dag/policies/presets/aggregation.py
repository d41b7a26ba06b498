"""Presets recursive aggregation: as RSA was published, and the rounds of PaCoRe."""

from anabranch.dag.policy import Preset

RSA = Preset(
    "A population of 16, each new member made of four; ten steps (Venkatraman et al. 2025).",
    {"population": 16, "subset": 4, "steps": 10},
)
PACORE = Preset(
    "Rounds of 32 and of 4, then one: each thinker reads the conclusions of all of the round before (PaCoRe, "
    "arXiv 2601.05593, its highest effort).",
    {"widths": [32, 4, 1], "subset": 0, "read": "conclusion"},
)
