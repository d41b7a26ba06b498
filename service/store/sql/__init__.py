"""Reaches the database under the store: connections, tables, schema, and what both dialects can hold."""
