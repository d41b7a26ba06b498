"""Journals: one writer per process, gap-free and hash-chained."""
