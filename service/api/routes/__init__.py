"""Serves the REST surface: one file per group of routes."""
