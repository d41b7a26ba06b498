"""Implements the commands about jobs: ask, follow, decide, audit, export, and many at once."""
