"""Serves `dag/` and `workers/`: REST, organizer, store, telemetry, dashboard and command line."""
