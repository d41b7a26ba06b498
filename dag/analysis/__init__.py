"""Derives from a journal what it says about its job: graph, critical path, concurrency, redundancy, rewards."""
