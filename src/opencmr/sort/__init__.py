"""Which series shows what: header, geometry and stack shape give view and sequence."""
