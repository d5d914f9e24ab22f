"""Fitting: what is taught, losses, optimisers, callbacks, checkpoints."""
