"""Train models: `python train.py --help`."""

from lengthwise.train import main

if __name__ == "__main__":
    main()
