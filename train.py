"""Train models: `python train.py --help`."""

from lengthwise.app.hydra_app import main

if __name__ == "__main__":
    main()
