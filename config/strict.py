"""What every table of our TOML files is: frozen, and an unknown key is an error."""

from typing import Literal

import msgspec

EventKind = Literal["keirin"]


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table in one of our TOML files: an unknown key is an error."""
