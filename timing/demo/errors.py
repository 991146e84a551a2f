"""What can go wrong with the demo before a race runs."""


class DemoError(Exception):
    """The demo cannot be run as asked; the message says why and what to do."""
