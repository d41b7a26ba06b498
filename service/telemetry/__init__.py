"""Draws traces: spans are a fold of the journal, kept in the store always and exported where OTEL_* says."""
