"""Derives tables from journals, in the transaction that writes the journal."""
