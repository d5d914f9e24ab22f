"""The mirror of runs in MLflow: sending, registering, showing."""
