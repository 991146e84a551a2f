"""The lot: an order that follows from a published seed, so that anyone can check it.

For every item the line `<seed>/<item>` (UTF-8, no line end) is hashed with SHA-256; the items stand in rising order
of the hashes as hexadecimal digits. To check rider 17 of heat r1-2 under the seed `amber river 42`:

    printf '%s' 'amber river 42/r1-2/17' | sha256sum

Nobody can choose a seed for its outcome when it comes from something that nobody present controls and that
everybody sees: it is journaled with the command, and drawn once for each purpose.
"""

from collections.abc import Iterable
from hashlib import sha256


def draw(seed: str, items: Iterable[str]) -> tuple[str, ...]:
    """The items in the order in which they are drawn. Each item's place against another depends on these two alone."""
    return tuple(sorted(items, key=lambda item: draw_key(seed, item)))


def draw_key(seed: str, item: str) -> str:
    """The 64 digits by which an item is placed."""
    return sha256(f"{seed}/{item}".encode()).hexdigest()
