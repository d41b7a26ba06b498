"""Exports a journal, finished or not, in other tools' forms: each is a fold of its records."""
