"""Runs: a directory each, which is the truth, and its mirror in MLflow."""
