"""Festivals, lunar dates, trading days and quiet hours: pure functions."""
