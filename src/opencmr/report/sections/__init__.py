"""The sections of a page: one file each, all of them in ``table.py``."""
