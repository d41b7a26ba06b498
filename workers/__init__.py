"""Runs branches: engines, the replica that hosts one, the router that picks a replica."""
