"""Audits, imports, packs and purges whole journals."""
