"""The built-in heart: a study with known truth."""
