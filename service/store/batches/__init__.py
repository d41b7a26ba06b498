"""Stores batches: the lines of their files, which lines have jobs, and what came of each."""
