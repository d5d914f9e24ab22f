"""Lengthwise from Python: runs and studies as objects, through the same gate as the command line."""
