"""Handles the Ray cluster that one machine starts for itself."""
