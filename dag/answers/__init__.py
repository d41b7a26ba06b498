"""Answers: found in text, compared as a careful reader would, counted in a vote."""
