"""Jobs become occurrences."""
