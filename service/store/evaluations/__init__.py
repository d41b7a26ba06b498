"""Keeps evaluations, and what answers were found to be worth."""
