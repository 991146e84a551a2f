"""Settings of the whole suite: what it finds on one machine it finds on every other."""

from hypothesis import settings

# A test run is a verdict on the change, not a lottery: the same examples each time, and no clock over them on a busy
# machine. To search further, `pytest --hypothesis-profile=search`.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("search", derandomize=False, deadline=None, max_examples=1_000)
settings.load_profile("steady")
