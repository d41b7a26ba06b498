"""Follows journals, lists and load while they change."""
