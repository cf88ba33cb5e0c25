"""Dispatch, receipts and replies."""
