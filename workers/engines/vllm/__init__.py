"""vLLM in this process: one model, decoded by many requests at once."""
