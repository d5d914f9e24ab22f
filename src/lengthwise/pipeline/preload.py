"""What a run needs, imported once by the process that the workers of a sweep are forked from.

Importing TensorFlow starts no thread of its own and runs no operation, so that a fork of this process is safe. A
process in which an operation has run is another matter: its forks hang.
"""

import gc

from lengthwise.silence import silence_import

with silence_import():
    import lengthwise.pipeline.work  # noqa: F401

gc.collect()
gc.freeze()  # half a million objects that stay: neither looked at again nor copied into the workers for looking
