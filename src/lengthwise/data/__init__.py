"""Load datasets, turn them into numbers with vocabularies and scalers, and cut them into batches."""
