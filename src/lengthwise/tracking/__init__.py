"""Tracking: each run has a directory, which is the truth, and a mirror in MLflow."""
