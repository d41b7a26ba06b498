"""Stores jobs: submitted, claimed, asked for, counted."""
