"""Research reports and market events."""
