"""What goes wrong at the command line itself."""


class OfficeError(Exception):
    """What was asked of the race office cannot be done; the message says what and how to mend it."""
