"""A trained model over HTTP, on this machine only."""
