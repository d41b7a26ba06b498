"""Defines the bodies of requests and answers."""
