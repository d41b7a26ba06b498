"""Holds the pure science of fork-join reasoning: policies, interpreter, journal, graph."""
