"""Routes the REST surface, by what is served."""
