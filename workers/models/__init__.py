"""Finds models by name or path, and makes GGUF files into checkpoints."""
