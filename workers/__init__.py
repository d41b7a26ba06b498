"""How a branch runs: engines, the replica that hosts one, the router that picks a replica."""
