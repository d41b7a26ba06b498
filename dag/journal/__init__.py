"""Handles a journal as a whole: its hash chain, its replay, its edited re-run, its end when it cannot go on."""
