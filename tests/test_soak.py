"""The soak, short: some heats with faults on mixed boxes, compared with the script. `make soak` runs it at any size."""

import logging

import pytest
import structlog

from tests.soak import report, soak

HEATS = 15
SEED = 3


@pytest.fixture(autouse=True)
def quiet() -> None:
    """The supervisors tell of every fault."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


def test_a_short_soak_has_no_silent_error_and_loses_nothing() -> None:
    findings = soak(HEATS, SEED)
    assert findings.silent == [], report(findings, 0.0)
    counts = findings.counts
    assert counts["heats"] == HEATS
    assert counts["crossings read"] > 100 * HEATS
    # It proves nothing unless things really broke, and were said to be uncertain.
    assert counts["fault damaged message"] > 0
    assert counts["fault missed_read"] > 0
    assert counts["crossings inferred and marked"] > 0
    assert counts["results equal to the truth"] > 0


def test_the_same_seed_gives_the_same_findings() -> None:
    first, second = soak(2, 9), soak(2, 9)
    assert (first.counts, first.silent) == (second.counts, second.silent)
