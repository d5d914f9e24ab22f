"""Import what a run needs, once, in the process that the workers of a sweep are forked from.

Importing TensorFlow starts no thread and runs no operation, so that this process can be forked safely. Forks of a
process that has run an operation hang.
"""

import gc

from lengthwise.lean_import import skip_unused
from lengthwise.silence import silence_import

skip_unused()
with silence_import():
    import lengthwise.pipeline.stages  # noqa: F401

gc.collect()
gc.freeze()  # half a million objects that live as long as the process: the collector need not visit them in workers
