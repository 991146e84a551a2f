"""What a process does before a race, so that nothing of it happens during one."""

import gc
import sys

THREAD_SWITCH_S = 0.0005
"""The journal's thread hands each commit back to the event loop: Python's usual 5 ms would be most of the way."""

WHOLE_COLLECTIONS_EVERY = 10_000
"""Of the younger generation: so many do not come in a race. A whole collection stops everything for 10 to 60 ms."""


def make_ready() -> None:
    """Warm every kernel, forbid further compiles, take what is loaded out of the garbage collector's way."""
    from timing.core.runtime import freeze, warm

    warm()
    freeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*gc.get_threshold()[:2], WHOLE_COLLECTIONS_EVERY)
    sys.setswitchinterval(THREAD_SWITCH_S)


def set_garbage_aside() -> None:
    """Between two races: collect now, when nothing is missed by it, and never look again at what is left.

    Only in a process that was made ready: elsewhere (in tests) Python does as it always does.
    """
    if gc.get_freeze_count():
        gc.collect()
        gc.freeze()
