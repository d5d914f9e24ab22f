"""Where Hydra looks for the launcher `hydra/launcher=ray`."""
