"""Payload, revisions, digest, states and their transitions, left-out rows."""
