"""Lengthwise: controlled experiments on how sequence-to-sequence models make length."""

__version__ = "0.1.0"
