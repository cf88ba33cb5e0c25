"""Outreach: client care by message for securities branches."""

__version__ = "0.1.0"
