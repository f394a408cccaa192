"""From labels to numbers; pure functions that read and write no file."""
