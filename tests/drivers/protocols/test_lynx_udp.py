"""The live stream over UDP: one line a datagram, some lost, and the next repeat of the sheet completes the result."""

import asyncio
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.models import Broker, Device
from drivers.hostclock import HostClock
from drivers.protocols.lynx import LineCounter, LynxParser, encode_clock, encode_sheet
from drivers.records import Malformed, PhotoFinish, PhotoFinishLine, Record, SequenceGap
from drivers.rig.clockmodel import DeviceClockModel
from drivers.rig.lynx_box import LineDatagrams, LynxBox
from drivers.rig.race import Sheet, SheetLine
from drivers.rig.udp_port import UdpPort
from drivers.transports import UdpAddress, create_transport, parse_address

STEADY = settings(derandomize=True, deadline=None)

SHEET = PhotoFinish(
    device="camera",
    received_us=9,
    event="1",
    round="2",
    heat="1",
    name="Keirin, final",
    official=True,
    lines=tuple(
        PhotoFinishLine(place=place, bib=str(10 + place), name=f"Rider {place}", time_us=60_000_000 + place * 1_000)
        for place in range(1, 6)
    ),
)


def datagrams(counter: LineCounter) -> list[bytes]:
    return encode_sheet(SHEET, counter).splitlines(keepends=True)


def hear(parser: LynxParser, lines: list[bytes]) -> list[Record]:
    return [record for line in lines for record in parser.feed(line, 9)]


def sheets(records: list[Record]) -> list[tuple[PhotoFinishLine, ...]]:
    return [record.lines for record in records if isinstance(record, PhotoFinish)]


def test_no_line_is_longer_than_a_datagram_that_finishlynx_cuts() -> None:
    assert max(len(line) for line in datagrams(LineCounter())) < 536


@pytest.mark.parametrize("lost", range(7))
def test_each_lost_line_spoils_its_sheet_with_one_reason_and_the_repeat_completes_it(lost: int) -> None:
    parser, counter = LynxParser("camera"), LineCounter()
    hear(parser, [encode_clock("armed", None, counter)])
    first = datagrams(counter)
    del first[lost]
    records = hear(parser, [*first, *datagrams(counter)])
    assert sheets(records) == [SHEET.lines]
    assert sum(isinstance(record, Malformed) for record in records) == 1
    assert [(record.first, record.last) for record in records if isinstance(record, SequenceGap)] == [
        (lost + 2, lost + 2)
    ]
    assert [type(record) for record in hear(parser, datagrams(counter))] == [PhotoFinish]


def test_a_datagram_cut_in_the_middle_costs_its_own_sheet_only() -> None:
    parser, counter = LynxParser("camera"), LineCounter()
    first = datagrams(counter)
    first[3] = first[3][:20]
    records = hear(parser, [*first, *datagrams(counter)])
    assert sheets(records) == [SHEET.lines]
    assert any(isinstance(record, Malformed) for record in records)


@STEADY
@given(st.data())
def test_whatever_is_lost_doubled_or_swapped_no_wrong_sheet_comes_out(data: st.DataObject) -> None:
    parser, counter = LynxParser("camera"), LineCounter()
    sent = [line for _ in range(3) for line in datagrams(counter)]
    fates = data.draw(st.lists(st.sampled_from(["kept", "kept", "lost", "doubled", "late"]), min_size=21, max_size=21))
    heard: list[bytes] = []
    late: list[bytes] = []
    for line, fate in zip(sent, fates, strict=True):
        if fate == "late":
            late.append(line)
            continue
        heard += [line] * {"kept": 1, "lost": 0, "doubled": 2}[fate]
        heard += late
        late = []
    records = hear(parser, heard + datagrams(counter))
    assert all(lines == SHEET.lines for lines in sheets(records))
    assert sheets(records), "the last repeat arrived whole"


async def test_the_simulated_camera_over_real_udp() -> None:
    ports = []
    for _ in range(2):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
    address = parse_address(f"udp:127.0.0.1:{ports[0]}?local={ports[1]}")
    assert isinstance(address, UdpAddress)
    clock = HostClock()
    device = Device(id="camera", protocol="lynx", address=address.text, clock="time_of_day")
    model = DeviceClockModel(zero_host_us=0, resolution_us=100, wraps_daily=True)
    box = LynxBox(device, lambda greet: LineDatagrams(UdpPort(address, greet)), model, clock)
    line = create_transport(address.text, clock, Broker())
    await line.open()
    await box.open()
    rows = tuple(
        SheetLine(bib=str(place), name="", place=place, finish_us=60_000_000 + place * 1_000) for place in (1, 2)
    )
    box.show(Sheet(at_us=0, device="camera", heat="final", lines=rows), clock.now_us())
    parser = LynxParser("camera")
    records: list[Record] = []
    datagram_count = 0
    async with asyncio.timeout(5):
        while not sheets(records):
            chunk = await line.receive()
            datagram_count += 1
            records += parser.feed(chunk.data, chunk.received_us)
    await line.close()
    await box.close()
    assert [row.bib for row in sheets(records)[0]] == ["1", "2"]
    assert datagram_count == 6, "script start, stopped, header, two rows, trailer: each a datagram of its own"
    assert not any(isinstance(record, Malformed | SequenceGap) for record in records)
