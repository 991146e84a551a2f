"""The setup as the journal and everybody who reads it may have it: without what is nobody's business."""

import msgspec

from config.models import Console, Setup


def without_secrets(setup: Setup) -> Setup:
    """The setup with the default console in the place of its own: no names of accounts and no password hashes."""
    return msgspec.structs.replace(setup, meet=msgspec.structs.replace(setup.meet, console=Console()))
