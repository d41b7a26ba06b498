"""Sends webhooks by the Standard Webhooks specification, version 1.0.0 (standardwebhooks.com)."""
