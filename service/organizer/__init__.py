"""Claims jobs, interprets their policies, appends what happens, hands decodes to the pool."""
