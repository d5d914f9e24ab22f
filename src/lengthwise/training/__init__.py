"""Training: epochs and batches, losses, optimisers, validation, checkpoints."""
