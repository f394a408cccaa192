"""Relaxation times of every pixel from pictures at several times, by exact least squares."""
