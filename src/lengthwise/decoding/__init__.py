"""Decoding: a model makes sequences from its own outputs, one step at a time."""
