"""The house around the science: REST, organizer, store, telemetry, dashboard and command line."""
