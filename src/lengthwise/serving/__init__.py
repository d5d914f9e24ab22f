"""Trained models on disk, in Python, over HTTP, in MLflow's format and as a SavedModel."""
