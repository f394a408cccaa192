"""What the ventricles hold and eject, over the heartbeat and at its ends."""
