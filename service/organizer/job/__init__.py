"""Runs one job: from its journal to where it stands, command by command, until it ends or is given back."""
