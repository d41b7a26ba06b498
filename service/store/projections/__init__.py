"""Tables derived from journals, written in the same transaction."""
