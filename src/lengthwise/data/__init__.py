"""Datasets, vocabularies and scalers, batching."""
