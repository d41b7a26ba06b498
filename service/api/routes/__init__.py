"""The routes of the REST surface, by what they serve."""
