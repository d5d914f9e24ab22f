"""One run, from its options to a closed run directory: `experiment` starts it, `stages` trains and evaluates."""
