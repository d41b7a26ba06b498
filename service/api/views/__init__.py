"""Describes request and response bodies."""
