"""Audit, import and retention of whole journals."""
