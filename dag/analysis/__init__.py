"""What a journal says about its job: graph, critical path, concurrency, redundancy, rewards."""
