"""Answers whoever waits for a job: whole, or in deltas while its final thought is written."""
