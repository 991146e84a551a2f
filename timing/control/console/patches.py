"""What changed in a topic: a race that grows is not sent whole with every passing.

A patch is JSON. An object patches an object, key by key. `[value]` puts a value in the place of what was there, `[]`
takes the key away. `[kept, changed, more]` patches an array: of the first `kept` elements those in `changed` (index →
patch) are patched, then `more` follows. `store.js` applies them, and keeps what has not changed as the same object.
"""

from typing import Any, Final

import msgspec

SMALLEST_BYTES: Final = 2_000
"""Below it a topic is sent whole: nothing would be gained."""
WORTH: Final = 0.5
"""A patch longer than this part of the whole is not sent: elements have moved, and nearly all of it is new."""


def patch_bytes(before: Any, after: Any, whole: bytes) -> bytes | None:
    """The patch from one decoded payload to the next as JSON; None where `whole` had better be sent."""
    if len(whole) < SMALLEST_BYTES or before is None:
        return None
    try:
        patch = msgspec.json.encode(difference(before, after))
    except (ValueError, OverflowError, RecursionError):
        # Not of our core: a number or a text that only its own bytes can say, or boxes in boxes without end.
        return None
    return patch if len(patch) < WORTH * len(whole) else None


def difference(before: Any, after: Any) -> Any:
    """The patch from one JSON value to another. Both as decoded; numbers count as equal by their value."""
    if isinstance(before, dict) and isinstance(after, dict):
        removed: dict[str, Any] = {key: [] for key in before if key not in after}
        return removed | {
            key: difference(before[key], value) if key in before else [value]
            for key, value in after.items()
            if key not in before or before[key] != value
        }
    if isinstance(before, list) and isinstance(after, list):
        pairs = enumerate(zip(before, after, strict=False))
        changed = {str(index): difference(old, new) for index, (old, new) in pairs if old != new}
        kept = min(len(before), len(after))
        return [kept, changed, after[kept:]]
    return [after]
