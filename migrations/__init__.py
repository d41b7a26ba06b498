"""Holds the schema of the store, one Alembic revision after another."""
