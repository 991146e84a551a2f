"""Valid bytes of every protocol, from its own encoders: what the fuzzer damages. All names are made up."""

from collections.abc import Callable, Mapping
from typing import Final

from drivers.peers import CLOSED, OPENED, encode_data, encode_frame
from drivers.protocols import (
    cp520,
    jchip,
    json_mqtt,
    lif,
    lynx,
    osv,
    p3,
    p98,
    raceresult,
    raceresult_usb,
    rei2,
    thbc_wire,
    thcom08,
    timy,
    velotrain,
)
from drivers.protocols.soh_frames import EOT
from drivers.records import ClockReading, DeviceStatus, Impulse, Passing, PhotoFinish, PhotoFinishLine

_NOON_US: Final = 43_200_000_000
_AT_US: Final = 1_437_769_372_993_000
_DAY: Final = "20250601"
_DATE: Final = "2025-06-01"
_SHEET: Final = PhotoFinish(
    device="",
    received_us=0,
    event="32400031",
    round="Semi",
    heat="2",
    name="20:10 | Keirin men",
    start_device_us=72_714_404_900,
    official=True,
    lines=(
        PhotoFinishLine(place=1, bib="762", lane=4, name="Novák Jörn", time_us=45_611_234),
        PhotoFinishLine(place=2, bib="768", lane=1, time_us=45_611_235),
        PhotoFinishLine(bib="770", status="DNF"),
    ),
)


def _passing(number: int, transponder: str, device_us: int = _NOON_US, channel: str | None = None) -> Passing:
    return Passing(
        device="",
        received_us=0,
        device_us=device_us,
        transponder=transponder,
        channel=channel,
        sequence=number,
        strength=106,
        hits=50,
        decoder="101",
        flags=2,
    )


def _p3() -> list[bytes]:
    return [
        p3.encode_passing(number=157_828, transponder=5_691_251, rtc_us=_AT_US, strength=106, hits=50),
        p3.encode_passing(number=157_830, transponder=4_242, rtc_us=_AT_US + 1, strength=1, decoder=7),
        # Every byte that must be escaped, in every field.
        p3.encode_passing(
            number=0x8D8E8F, transponder=0x8D8D8D8D, rtc_us=0x8E8E8E8E8E8E8E8E, strength=1, hits=1, decoder=0x8F8F8F8F
        ),
        p3.encode_status(noise=40, temperature=22, supply_decivolts=118, gps=0, decoder=7),
        p3.encode_time_reply(_AT_US, utc_us=5, decoder=7),
        p3.encode_get_time(),
        p3.encode_resend(1, 0xFFFF_FFFF),
    ]


def _p98() -> list[bytes]:
    return [
        p98.encode_passing(_passing(1_379, "8110984", 2_434_835_000)),
        p98.encode_passing(_passing(1_381, "8110984", 2_438_000_000), decimals=6, point=","),
        p98.encode_status(DeviceStatus(device="", received_us=0, noise=0, sequence=1_380, decoder="101")),
        p98.encode_line(p98.OTHER, ["40", "3", "5", "28800"]),
    ]


def _lynx() -> list[bytes]:
    counter = lynx.LineCounter()
    return [
        lynx.encode_script_start(counter),
        lynx.encode_clock("gun", _NOON_US, counter, 4),
        lynx.encode_clock("running", 1_239_999, counter),
        lynx.encode_sheet(_SHEET, counter, decimals=6),
        lynx.encode_sheet(_SHEET, counter, encoding="cp1252"),
        *(line + b"\n" for line in lynx.encode_sheet(_SHEET, counter).splitlines()),
    ]


def _lif() -> list[bytes]:
    return [
        lif.encode_lif(_SHEET),
        lif.encode_lif(_SHEET, decimals=6, columns=19, encoding="cp1252", line_end="\r\n", distance="200"),
    ]


def _json() -> list[bytes]:
    records: list[json_mqtt.Encodable] = [
        _passing(12, "4711", _AT_US, "finish"),
        Impulse(device="", received_us=0, device_us=5, channel="gun", sequence=1, bib="7", manual=True),
        _SHEET,
        DeviceStatus(device="", received_us=0, device_us=6, noise=21, temperature=-3, gps_locked=True, text="ok"),
        ClockReading(device="", received_us=0, device_us=2**63 - 1),
    ]
    return [json_mqtt.encode(record) + b"\n" for record in records]


def _thbc() -> list[bytes]:
    line, status = thbc_wire.PassingLine, thbc_wire.StatusLine
    reply = thbc_wire.ConfigReply(config=bytes(27), network=bytes(range(16)), ident=bytes(4), version=b"\x13\x01")
    return [
        thbc_wire.encode_passing(
            line(channel="STA", refid=6_141, time_us=177_541_000, power=38, count=7, battery=0),
        ),
        thbc_wire.encode_passing(line(channel="B01", refid=93_367, time_us=_NOON_US, power=44, count=1, battery=3)),
        thbc_wire.encode_passing(
            line(channel="BOX", refid=thbc_wire.CELL_REFID, time_us=31_957_000, power=1, count=1, battery=1)
        ),
        thbc_wire.encode_passing(
            line(channel="MAN", refid=thbc_wire.MAN_REFID, time_us=16_964_000, power=1, count=1, battery=1)
        ),
        thbc_wire.encode_status(status(time_us=12_000_000, noise_sta=23, noise_box=0, level_sta=10, level_box=10)),
        thbc_wire.encode_config_reply(reply),
        thbc_wire.NACK,
        b"DEPART_2025-06-01__14:30:05\r\n",
        b"STOP_14:31:00\r\n",
    ]


def _timy() -> list[bytes]:
    line = timy.TimyLine
    lines = [
        line(channel="C0", time_us=_NOON_US + 390_000, number=35, manual=True),
        line(channel="C1", time_us=_NOON_US + 651_300, number=1),
        line(channel="C8", time_us=_NOON_US, number=7, info="m", group=""),
        line(channel="C1", time_us=_NOON_US, info="?"),
        line(channel="RT", time_us=59_760_000, number=1, decimals=2),
        line(channel="C0", time_us=_NOON_US, number=1, info="c"),
    ]
    texts = [timy.encode_number(34), timy.encode_number(35, at_start=True), timy.encode_text("TIMY  V0974")]
    return [
        *(timy.encode_line(one, with_checksum=True) for one in lines),
        *(timy.encode_line(one) for one in lines[:2]),
        *texts,
    ]


def _thcom08() -> list[bytes]:
    frame = thcom08.TimeFrame
    return [
        thcom08.encode_time(frame(number=72, channel=5, device_us=_NOON_US + 780_000, bib=16, day=12_345)),
        thcom08.encode_time(frame(number=73, channel=5, device_us=_NOON_US + 779_840, recalled=True, manual=True)),
        thcom08.encode_time(frame(number=72, channel=1, device_us=_NOON_US, variant="-", bib=16)),
        thcom08.encode_recall(74, 5),
        thcom08.encode_frame("AK F"),
        thcom08.encode_frame("WC 007 02 00:00 01/01/01", from_host=True),
    ]


def _cp520() -> list[bytes]:
    line = cp520.Cp520Line
    return [
        cp520.encode_line(line(ident="T ", time_us=_NOON_US + 742_000, bib=200, channel="1", manual=True)),
        cp520.encode_line(line(ident="T ", time_us=_NOON_US + 742_001, channel="2")),
        cp520.encode_line(line(ident="T-", time_us=_NOON_US, bib=200, channel="1")),
        cp520.encode_line(line(ident="R ", time_us=69_570_000, rank=1, bib=200)),
        cp520.encode_heading("NET TIME", 2),
    ]


def _rei2() -> list[bytes]:
    line = rei2.Rei2Line
    return [
        rei2.encode_line(line(counter=8, bib=3, time_us=_NOON_US + 384_100, date="06052016", logical=0)),
        rei2.encode_line(line(counter=9, bib=3, time_us=_NOON_US, date="06052016", logical=255)),
        rei2.encode_line(line(counter=10, bib=3, time_us=57_680_000, date="+0000000", logical=255, kind="1")),
        b"\x12 settings" + rei2.CR_LF,
    ]


def _osv() -> list[bytes]:
    ranking = osv.encode_ranking(_SHEET)
    frames = [frame + EOT for frame in ranking.split(EOT)[:-1]]
    return [
        ranking,
        *frames,
        osv.encode_frame("RTC", "   1  1   17 3    10.55"),
        osv.encode_frame("RWM", "   1.2m/s"),
        osv.encode_frame("RCS", "   17 3"),
    ]


def _raceresult() -> list[bytes]:
    line = raceresult.PassingLine
    date, time = raceresult.format_stamp(_AT_US, gps=True)
    active = line(number="12", code="GLBAS60", date=date, time=time, hits="72", max_rssi="118", loop_id="3")
    passive = line(number="13", code="1042", date="0000-00-01", time="00:00:03.001", is_active="0", hits="4")
    return [
        raceresult.encode_passing(active, pushed=True),
        raceresult.encode_passing(passive, pushed=False),
        raceresult.encode_fetch(12, 3),
        b"GETTIME;0000-00-00;00:02:12.942\r\n",
        b"GETPROTOCOL;3.0;1.0;3.4\r\nPASSINGS;13;7\r\n\r\n",
        b"GETSTATUS;2021-08-08;11:52:04.000;1;11000000;1;50;1;35.000000,138.000000;1;80;24;31;0;1;1;3;80;1;0;1;1;0;0;0\r\n",
    ]


def _raceresult_usb() -> list[bytes]:
    rows = ("GLBAS60;0718;01521527;0c;08;9f;1a;0;1;2;00;0", "EMPAL70;047c;0152153b;0e;08;9f;1a;0;1;2;00;0")
    reply = raceresult_usb.encode_reply
    return [
        reply("EPOCHREFGET", "4a3caa45;0151bcf5"),
        reply("PASSINGGET", f"{raceresult_usb.encode_id(0)};02", *rows),
        reply("PASSINGINFOGET", "00000000;00000002"),
        reply("ASCII", error="00"),
        raceresult_usb.encode_command("#P", rows[0]),
    ]


def _velotrain() -> list[bytes]:
    split = _passing(108, "125328", _NOON_US + 303_000, "C5")
    gate = Impulse(device="", received_us=0, device_us=_NOON_US, channel="C0", sequence=3)
    status = (
        b'{"date": "2022-07-07", "time": "23:04:00.15", "offset": "0.211", "env": [13.1, 62.0, 1013.0], "count": 123, '
        b'"gate": null, "units": [{"mpid": 1, "name": "Finish", "noise": 20, "offset": "0.000"}]}'
    )
    messages = [
        velotrain.encode_rawpass(split, _DATE, _NOON_US + 459_000),
        velotrain.encode_passing(split, _DATE, "100m Split"),
        velotrain.encode_passing(gate, _DATE),
        velotrain.encode_timer(split),
        status,
    ]
    return [message + b"\n" for message in messages]


def _jchip() -> list[bytes]:
    lines = [
        jchip.encode_name("gate 7"),
        jchip.encode_time(_NOON_US + 500_000, _DAY),
        jchip.encode_passing("413A36", _NOON_US + 443_300, 1, _DAY),
        b"DJ413A36 10:11:16\r",
    ]
    framed = [encode_data(peer, line) for peer in (1, 2) for line in lines]
    ends = [encode_frame(OPENED, 1, b"127.0.0.1:4000"), encode_frame(CLOSED, 1, b"the reader closed")]
    return [*lines, *framed, *ends]


SAMPLES: Final[Mapping[str, Callable[[], list[bytes]]]] = {
    "p3": _p3,
    "p98": _p98,
    "lynx": _lynx,
    "lif": _lif,
    "json": _json,
    "thbc": _thbc,
    "timy": _timy,
    "raceresult": _raceresult,
    "raceresult-usb": _raceresult_usb,
    "cp520": _cp520,
    "thcom08": _thcom08,
    "rei2": _rei2,
    "osv": _osv,
    "velotrain": _velotrain,
    "jchip": _jchip,
}
"""Protocol to its sample messages; each is whole, with its line end."""
