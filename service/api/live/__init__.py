"""Follows what happens while it happens: journals, lists, load."""
