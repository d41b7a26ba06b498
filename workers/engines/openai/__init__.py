"""The engine whose tokens come from an OpenAI-compatible upstream: its requests, its streams, its faults."""
