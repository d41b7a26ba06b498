"""Decodes on vLLM in this process: one model, many requests at once."""
