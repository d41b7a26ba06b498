"""Implements the commands about evaluations: which policy helps, at what cost."""
