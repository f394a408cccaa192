"""Scar on late gadolinium enhancement: classical rules, amount, extent, pattern."""
