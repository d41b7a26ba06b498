"""Runs the worker pool: which replica decodes a branch, and the calls that are in flight."""
