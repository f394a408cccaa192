"""How good a result is: overlap, surface distance, agreement."""
