"""Studies: runs compared across conditions, and their reports."""
