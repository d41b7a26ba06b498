"""Says who may call the service: the tenants file, keys in the store, roles, limits."""
