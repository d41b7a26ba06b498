"""Serves the REST surface over the store: it runs no jobs, and needs neither Ray nor an engine."""
