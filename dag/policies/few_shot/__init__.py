"""How models that were not trained for a format are helped to write it: an example, and a form to keep to."""
