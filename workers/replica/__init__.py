"""Runs the decodes of a call on one engine and cuts them into segments."""
