"""Helps models that were not trained for a format to write it: an example, and a form to keep to."""
