"""Simulates policies on described clusters, for people: reads descriptions and journals, writes tables and plots."""
