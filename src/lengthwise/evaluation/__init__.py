"""Score decoded sequences, compare them with baselines, and draw them."""
