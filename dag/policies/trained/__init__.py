"""Runs what trained models write, sub searches, workers, paths and threads, for the policies named after them."""
