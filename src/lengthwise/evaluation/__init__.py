"""Scores, baselines and figures of decoded sequences."""
