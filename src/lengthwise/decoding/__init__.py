"""Decoding: sequences made by a model that is told its own output."""
