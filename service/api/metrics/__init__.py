"""Counts what Prometheus reads."""
