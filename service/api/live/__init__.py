"""What is followed while it happens: journals, lists, load."""
