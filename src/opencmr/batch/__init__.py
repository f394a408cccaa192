"""Many studies of one input: each analysed and written by itself, and what became of all."""
