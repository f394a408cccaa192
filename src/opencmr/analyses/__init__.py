"""Clinical questions: one file each, what it needs and how it is answered."""
