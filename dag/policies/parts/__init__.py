"""Holds parts of policies: what one policy, or two, need beside their own file."""
