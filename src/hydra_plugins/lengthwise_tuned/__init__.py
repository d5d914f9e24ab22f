"""Hydra plugin: `hydra/sweeper=tuned`."""
