"""Measures what Prometheus reads."""
