"""Network architectures: torch modules and nothing else."""
