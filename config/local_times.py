"""Local times of a venue, as they stand in a meet file."""

from datetime import datetime, timedelta


def is_local_time(text: str) -> bool:
    """Whether it is ISO 8601 to the minute at least, without offset (`2021-08-08T11:51`)."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return False
    return moment.tzinfo is None and text.startswith(moment.isoformat(timespec="minutes"))


def later(local: str, seconds: int) -> str:
    """A local time so many seconds after another."""
    moment = datetime.fromisoformat(local) + timedelta(seconds=seconds)
    return moment.isoformat(timespec="seconds" if moment.second else "minutes")
