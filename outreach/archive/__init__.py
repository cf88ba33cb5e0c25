"""Search, retention, disposal and exports."""
