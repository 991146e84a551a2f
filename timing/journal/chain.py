"""The hash chain: each row's hash covers the row and the hash before it, so no row changes alone.

    genesis = SHA-256("velodrome journal 1\\n" ‖ uuid[16] ‖ created_us[8])
    hash    = SHA-256(previous hash[32] ‖ id[8] ‖ at_us[8] ‖ length of kind[4] ‖ kind ‖ body)

Integers are big-endian, ids and times signed; `kind` and `body` are UTF-8. The chain finds accidents and
quiet edits. It cannot see that rows at the very end are gone: for that, compare `last_id` and `last_hash`
with what was printed or published earlier.
"""

import struct
from hashlib import sha256
from uuid import UUID

_GENESIS_LABEL = b"velodrome journal 1\n"
_CREATED = struct.Struct(">q")
_ROW_HEAD = struct.Struct(">32sqqI")


def genesis_hash(uuid: UUID, created_us: int) -> bytes:
    """Return the hash that stands before row 1 of the journal with this identity."""
    return sha256(_GENESIS_LABEL + uuid.bytes + _CREATED.pack(created_us)).digest()


def row_hash(previous: bytes, row_id: int, at_us: int, kind: bytes, body: bytes) -> bytes:
    """Return the hash of a row that follows one with hash `previous`; `kind` and `body` as stored, UTF-8."""
    return sha256(_ROW_HEAD.pack(previous, row_id, at_us, len(kind)) + kind + body).digest()
