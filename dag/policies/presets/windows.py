"""Presets how many samples self-consistency draws: as Adaptive-Consistency and ESC were published."""

from anabranch.dag.policy import Preset

ADAPTIVE_CONSISTENCY = Preset(
    "At most 40 samples, one after the other, until the leading answer is the more frequent one with 95 % "
    "(Aggarwal et al. 2023).",
    {"n": 40, "window": 1, "stop": "posterior", "confidence": 0.95},
)
ESC = Preset(
    "At most 40 samples in windows of five, until all five of a window have the same answer (Li et al. 2024).",
    {"n": 40, "window": 5, "stop": "unanimous"},
)
