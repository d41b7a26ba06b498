"""Presets DeepConf as it was published: 512 traces, 16 of them to warm up, groups of 2048 tokens."""

from anabranch.dag.policy import Preset

_ONLINE = {"n": 512, "warmup": 16, "group": 2048, "consensus": 0.95}
LOW = Preset("Keeps the surest tenth (DeepConf-low): the fewest tokens.", {**_ONLINE, "keep": 0.1})
HIGH = Preset("Keeps the surest nine tenths (DeepConf-high): the more careful one.", {**_ONLINE, "keep": 0.9})
