"""Model folders: card, checksum, look-up by capability, inference session."""
