"""Stores webhooks: where they are sent, what is still to be sent, and what came of it."""
