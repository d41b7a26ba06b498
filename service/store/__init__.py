"""Stores journals and what is folded from them: tables, transactions, claims and queries, on SQLite and PostgreSQL."""
