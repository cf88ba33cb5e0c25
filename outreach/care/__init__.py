"""What is not a message: call, visit and follow-up tasks."""
