"""Units of the whole program: instants and durations are integers of microseconds (DESIGN §3)."""

MICROSECONDS_PER_MILLISECOND = 1_000
MICROSECONDS_PER_SECOND = 1_000_000


def truncate_to_ms(duration_us: int) -> int:
    """Truncate a duration in µs toward zero to whole milliseconds: the one place where precision is given up.

    UCI 3.2.015 asks for thousandths and says nothing of rounding; practice truncates the difference of the
    raw values, once, and so do ALGE and Microgate boxes. Apply it to the final difference only, never to
    each of the instants that it is made of.
    """
    if duration_us < 0:
        return -(-duration_us // MICROSECONDS_PER_MILLISECOND)
    return duration_us // MICROSECONDS_PER_MILLISECOND
