"""The journal and what is folded from it: tables, transactions, claims and queries, on SQLite and PostgreSQL."""
