"""Sweeps: many runs from one command, each on its own."""
