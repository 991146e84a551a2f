"""What goes into a journal and what comes out of it."""

import msgspec

from timing.journal.errors import BadEntry

_SMALLEST_INTEGER = -(2**63)
_LARGEST_INTEGER = 2**63 - 1
_JSON = msgspec.json.Decoder(msgspec.Raw)


class Entry(msgspec.Struct, frozen=True):
    """Something that happened, on its way into the journal.

    `kind` names it (printable, not empty), `at_us` is host time in UTC µs, `body` is one JSON value in
    UTF-8, stored byte for byte. An entry is checked when it is made, so that one that exists can be stored.
    Raises `BadEntry`.
    """

    kind: str
    at_us: int
    body: bytes

    def __post_init__(self) -> None:
        if not self.kind or not self.kind.isprintable():
            raise BadEntry(f"kind {self.kind!r} is not printable text", "give the entry a name")
        if not _SMALLEST_INTEGER <= self.at_us <= _LARGEST_INTEGER:
            raise BadEntry(f"at_us {self.at_us} does not fit 64 bits", "give UTC in microseconds")
        if (fault := json_fault(self.body)) is not None:
            raise BadEntry(f"the body of a {self.kind!r} entry is not JSON: {fault}", "encode it with msgspec")


class Row(msgspec.Struct, frozen=True):
    """An entry that is in the journal. `hash` (32 bytes) covers it and every row before it."""

    id: int
    at_us: int
    kind: str
    body: bytes
    hash: bytes


def json_fault(body: bytes) -> str | None:
    """Say why `body` is not one JSON value in UTF-8; None when it is."""
    try:
        body.decode()
        _JSON.decode(body)
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError) as fault:
        return str(fault)
    return None
