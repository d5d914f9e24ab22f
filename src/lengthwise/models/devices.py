"""The devices that TensorFlow sees."""

from __future__ import annotations

import tensorflow as tf


def list_devices() -> tuple[str, ...]:
    """Return the names of the processors and graphics cards, such as `CPU:0`."""
    return tuple(device.name.removeprefix("/physical_device:") for device in tf.config.list_physical_devices())
