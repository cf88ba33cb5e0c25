"""The demonstration institution and the sandbox of loopback providers."""
