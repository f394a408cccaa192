"""The vocabulary: structures, label schemes, views, sequences, AHA segments, ranges.

Pure tables; nothing here computes.
"""
