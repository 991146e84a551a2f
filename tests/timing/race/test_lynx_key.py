"""A result with FinishLynx's own three numbers finds the heat whose start list had them."""

from typing import Any

import pytest

from config.lynx_keys import lynx_keys
from drivers.records import PhotoFinish, PhotoFinishLine


def result(office: Any, event: str, round_: str, heat: str) -> PhotoFinish:
    lines = (PhotoFinishLine(place=1, bib="13"),)
    return PhotoFinish(device="camera", received_us=office.at(100), event=event, round=round_, heat=heat, lines=lines)


def test_the_numbers_of_the_start_list_name_the_heat(office: Any) -> None:
    office.start("final-a")
    key = lynx_keys(office.state.setup.meet)["final-a"]
    office._deliver(result(office, *(str(number) for number in key)))
    assert office.places[0] == (1, "13", None)
    assert office.state.inbox == []


@pytest.mark.parametrize("key", [("1", "99", "1"), ("2", "1", "1")])
def test_numbers_of_no_heat_wait_in_the_inbox_with_their_reason(office: Any, key: tuple[str, str, str]) -> None:
    office.start("final-a")
    office._deliver(result(office, *key))
    assert [item.reason for item in office.state.inbox] == ["no heat '1' is in the meet file"]
