"""Jobs: submitted, claimed, asked for, counted."""
