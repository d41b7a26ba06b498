"""Checks text on CPUs: verifiers, and untrusted code in a sandbox."""
