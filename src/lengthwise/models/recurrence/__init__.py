"""The recurrences on a CPU: loops, cells and the functions that run them."""
