"""The REST face and the providers' webhooks."""
