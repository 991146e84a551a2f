"""Communiqués: the numbered documents of the race office, from the same picture that the screens show."""
