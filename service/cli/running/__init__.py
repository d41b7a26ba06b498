"""Implements the commands that run a part of the service here, and finds the one that runs already."""
