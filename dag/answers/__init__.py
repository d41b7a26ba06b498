"""Finds answers in text, compares them as a careful reader would, and counts votes."""
