"""Models: found by name or path, and GGUF files made into checkpoints."""
