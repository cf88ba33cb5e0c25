"""Reads, checks and publishes templates/, jobs/ and approvals/ as immutable versions."""
