"""Claims jobs and keeps them: one process's share of the work. `job/` runs each of them."""
