"""Checks of text on CPUs: verifiers, and untrusted code in a sandbox."""
