"""The front doors: `python train.py` and the command `lengthwise`."""
