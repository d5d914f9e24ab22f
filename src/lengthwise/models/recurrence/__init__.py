"""Recurrences on a CPU: the step of each cell, the loops over the steps, and the functions that run them."""
