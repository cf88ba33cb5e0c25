"""Telling staff: outbox rows in the transaction, sent after commit."""
