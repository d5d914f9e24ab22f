"""Comparison of two trained models over the same examples, or of two methods over their seeds."""
