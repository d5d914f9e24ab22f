"""One run, from options to a closed run directory."""
