"""Decodes on an OpenAI-compatible upstream: its requests, its streams, its faults."""
