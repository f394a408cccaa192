"""What leaves: one writer a file."""
