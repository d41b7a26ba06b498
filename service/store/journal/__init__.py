"""Writes and reads journals: one writer per process, gap-free and hash-chained."""
