"""Audits, imports and purges whole journals."""
