"""Decodes: vLLM in this process, an OpenAI-compatible upstream, or a script."""
