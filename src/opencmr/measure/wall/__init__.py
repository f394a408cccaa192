"""The wall of the left ventricle by AHA segment."""
