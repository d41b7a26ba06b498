"""Shows in a minute, without a model, what the service does: what is told comes from the journals of real jobs."""
