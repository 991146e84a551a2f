"""What a process does before a race, so that nothing of it happens during one."""

import gc
import sys

THREAD_SWITCH_S = 0.0005
"""The journal's thread hands each commit back to the event loop: Python's usual 5 ms would be most of the way."""


def make_ready() -> None:
    """Warm every kernel, forbid further compiles, take what is loaded out of the garbage collector's way."""
    from timing.core.runtime import freeze, warm

    warm()
    freeze()
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(THREAD_SWITCH_S)
