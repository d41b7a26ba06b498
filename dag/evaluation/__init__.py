"""Designs comparisons of policies, and computes what they say: pure, given the jobs' verdicts and costs."""
