"""Implements the commands about simulations: a described cluster in virtual time."""
