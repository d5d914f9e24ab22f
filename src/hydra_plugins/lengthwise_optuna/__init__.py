"""Where Hydra looks for the sweeper `hydra/sweeper=optuna`."""
