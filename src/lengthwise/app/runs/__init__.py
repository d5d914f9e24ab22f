"""The commands about stored runs: list them, show one, compare several."""
