"""Audience to rendered, checked messages; the advisor's composer."""
