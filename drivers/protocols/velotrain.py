"""velotrain over MQTT: what the track's own transponder system publishes (hardware-protocols §11).

One topic is one device; the MQTT transport ends each message with a line feed. A message is told by its form:

    velotrain/rawpass    {"date", "env", "refid", "mpid", "name", "time": "HH:MM:SS.mmm", "rcv"}      passing, 1 ms
    velotrain/passing    {"index", "date", "time": "HH:MM:SS.cc", "mpid", "refid", …, "text"}         passing, 10 ms
    velotrain/replay     a list of passing objects                                                    backlog
    velotrain/status     {"date", "time", …, "units": [{"mpid", "name", "noise", "offset"}, …]}       unit status
    velotrain/timer      INDEX;SOURCE;CHANNEL;REFID;TOD[;DATE]                                        passing

`time` and `TOD` are local time of day: `device_us` counts from midnight. `mpid` 1-9 is metarace's channel C1-C9,
and so is SOURCE: that is our `channel`. Names of transponders: `refid`; velotrain puts "moto" in `passing` for every
transponder of its moto list, "gate" for the start gate (an impulse here) and "marker" for a note of the operator.

The units' clocks differ. Each reports refid 255 at the top of every minute (`TRIGGER`); `VelotrainSession` corrects
the raw times of a unit by its last such pulse, as velotrain does before it publishes `passing`. `passing` is
corrected already, but cut to 1/100 s: take `rawpass` for timing.

Facts of the payloads: README.md and velotrain.py of the public repository ndf-zz/velotrain (commits 30fa6dd, 019fac0):
`_rawpassing`, `_process_pq`, `_systempass`, `_reqstatus`, `_foreigntimer`. The sixth field DATE is rrrelay's.
"""

import re
from typing import Any, Final

import msgspec

from config.models import Device
from drivers.protocols.base import ProtocolEntry, Reaction, Resume
from drivers.protocols.line_buffer import LineBuffer, TextLine
from drivers.protocols.listen import ListenSession
from drivers.records import DeviceStatus, Impulse, Passing, Record, Unhandled

TRIGGER: Final = "255"  # the refid of a unit's synchronisation pulse (velotrain's setting `trig`, its default)
GATE: Final = "gate"
MARKER: Final = "marker"
NOW: Final = "now"
SYNC_PULSE: Final = "sync_pulse"
"""Name of the record of a pulse; its detail has `channel` and `device_us`."""

DAY_US: Final = 86_400_000_000
MINUTE_US: Final = 60_000_000
MAX_MESSAGE_BYTES: Final = 1_048_576
"""A replay of a whole day: some thousand passings of 300 bytes."""
LONGEST_REASON: Final = 300
TIMER_FIELDS: Final = (5, 6)

_TIME = re.compile(r"(?:(?:([0-9]{1,2}):)?([0-9]{1,2}):)?([0-9]{1,6})(?:\.([0-9]{1,6})[0-9]*)?")
_WORD = re.compile(r"[^\s;\x00-\x1f]{1,64}")


def parse_time(text: str) -> int:
    """`[[H:]M:]S[.d…]` to µs from midnight, cut to the µs. Raises ValueError for another form or after 24 h."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"time {text!r} is not of the form HH:MM:SS.ddd")
    hours, minutes, seconds = int(match[1] or 0), int(match[2] or 0), int(match[3])
    if (match[1] and minutes > 59) or (match[2] and seconds > 59):
        raise ValueError(f"time {text!r} has more than 59 minutes or seconds in its place")
    time_us = ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + int((match[4] or "").ljust(6, "0"))
    if time_us >= DAY_US:
        raise ValueError(f"time {text!r} is no time of day")
    return time_us


def format_time(device_us: int, decimals: int = 3) -> str:
    """µs from midnight to `HH:MM:SS.ddd`, truncated. Raises ValueError outside one day."""
    if not 0 <= device_us < DAY_US or not 1 <= decimals <= 6:
        raise ValueError(f"{device_us} µs is no time of day, or {decimals} are no decimals (1 to 6)")
    seconds, fraction_us = divmod(device_us, 1_000_000)
    whole = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{whole}.{f'{fraction_us:06d}'[:decimals]}"


def pulse_error_us(device_us: int) -> int:
    """By how much a unit's clock is wrong when it stamps a pulse so: µs to add to its times, -30 s to +30 s."""
    past_us = device_us % MINUTE_US
    return -past_us if past_us <= MINUTE_US // 2 else MINUTE_US - past_us


# -- reading -------------------------------------------------------------------------------------------------


class _Unit(msgspec.Struct):
    """One measurement point in a status message."""

    mpid: int
    name: str | None = None
    noise: int | None = None
    offset: str | None = None


def _word(value: object, what: str) -> str:
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise ValueError(f"{what} {value!r} is no word without blanks")
    return value


def _channel(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 9:
        raise ValueError(f"mpid {value!r} is no measurement point: velotrain has 0 to 9")
    return f"C{value}"


def _time_of(message: dict[str, Any]) -> int:
    text = message.get("time")
    if not isinstance(text, str):
        raise ValueError(f"time {text!r} is not of the form HH:MM:SS.ddd")
    return parse_time(text)


class _Reader:
    """Messages to records, for one device at one moment. All methods raise ValueError for what cannot be read."""

    def __init__(self, device: str, received_us: int) -> None:
        self._device = device
        self._received_us = received_us

    def message(self, line: bytes) -> list[Record]:
        """One MQTT message."""
        try:
            text = line.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            raise ValueError(f"message is not UTF-8 ({error.reason})") from None
        if not text.startswith(("{", "[")):
            return [self._timer(text)]
        try:
            value = msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            raise ValueError(f"not JSON ({error})") from None
        except RecursionError:
            raise ValueError("nested too deeply to be a velotrain message") from None
        if isinstance(value, list):
            return [self._passing(item, backlog=True) for item in value]
        if "index" in value:
            return [self._passing(value, backlog=False)]
        if "units" in value or "info" in value:
            return self._status(value)
        if "rcv" in value and "refid" in value:
            return [self._rawpass(value)]
        raise ValueError("neither rawpass, passing, replay nor status: is this a topic of velotrain?")

    def _rawpass(self, message: dict[str, Any]) -> Record:
        return self._read(_channel(message.get("mpid")), _word(message["refid"], "refid"), _time_of(message), None)

    def _timer(self, text: str) -> Record:
        fields = [field.strip() for field in text.split(";")]
        if len(fields) not in TIMER_FIELDS:
            raise ValueError(f"{len(fields)} fields instead of INDEX;SOURCE;CHANNEL;REFID;TOD: is this velotrain?")
        index, source, channel, refid, time = fields[:5]
        if time == NOW:
            raise ValueError("time 'now' says nothing about when it was: let the timer send its time of day")
        place = _word(source or channel, "SOURCE")
        sequence = int(index) if re.fullmatch("[0-9]{1,18}", index) else None
        if not refid:
            return Impulse(
                device=self._device,
                received_us=self._received_us,
                device_us=parse_time(time),
                channel=place,
                sequence=sequence,
            )
        return self._read(place, _word(refid, "REFID"), parse_time(time), sequence)

    def _read(self, channel: str, refid: str, device_us: int, sequence: int | None) -> Record:
        if refid == TRIGGER:
            return self._other(SYNC_PULSE, {"channel": channel, "device_us": device_us})
        return Passing(
            device=self._device,
            received_us=self._received_us,
            device_us=device_us,
            transponder=refid,
            channel=channel,
            sequence=sequence,
        )

    def _passing(self, message: object, *, backlog: bool) -> Record:
        if not isinstance(message, dict):
            raise ValueError(f"{message!r} is no passing object")
        index = message.get("index")
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < 2**63:
            raise ValueError(f"index {index!r} is not a whole number")
        refid = _word(message.get("refid"), "refid")
        device_us = _time_of(message)
        if refid == MARKER:
            return self._other(MARKER, {"text": str(message.get("text") or "")[:64], "device_us": device_us})
        if refid == GATE:
            return Impulse(
                device=self._device,
                received_us=self._received_us,
                device_us=device_us,
                channel=GATE,
                sequence=index,
                backlog=backlog,
            )
        return Passing(
            device=self._device,
            received_us=self._received_us,
            device_us=device_us,
            transponder=refid,
            channel=_channel(message.get("mpid")),
            sequence=index,
            backlog=backlog,
        )

    def _status(self, message: dict[str, Any]) -> list[Record]:
        info = message.get("info")
        try:
            units = msgspec.convert(message.get("units") or [], list[_Unit])
        except msgspec.ValidationError as error:
            raise ValueError(f"status: {error}") from None
        if not units:
            text = f"velotrain is {info}" if isinstance(info, str) else "velotrain has no units"
            return [DeviceStatus(device=self._device, received_us=self._received_us, text=text[:128])]
        # No device_us: the status has velotrain's own clock, not the unit's, and may be a retained, old one.
        return [
            DeviceStatus(
                device=self._device,
                received_us=self._received_us,
                noise=unit.noise,
                decoder=_channel(unit.mpid),
                text=f"{unit.name or ''} offset {unit.offset or 'unknown'} s"[:128].strip(),
            )
            for unit in units
        ]

    def _other(self, name: str, detail: dict[str, int | str]) -> Unhandled:
        return Unhandled(device=self._device, received_us=self._received_us, name=name, detail=detail)


class VelotrainParser:
    """A `base.Parser` for messages ended by line feeds. Times are as they were sent: see `VelotrainSession`."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._lines = LineBuffer(b"\n", MAX_MESSAGE_BYTES)

    def feed(self, data: bytes, received_us: int) -> list[Record]:
        """Take the next bytes; return the records of each message that they complete. See `base.Parser`."""
        return [record for line in self._lines.feed(data) for record in self._take(line, received_us)]

    def close(self, received_us: int) -> list[Record]:
        """The stream ended: a last message without its line feed is Malformed. See `base.Parser`."""
        line = self._lines.close()
        if line is None or not line.text.strip():
            return []
        return [line.malformed(self._device, received_us, "stream ended inside a message: its line feed is missing")]

    def _take(self, line: TextLine, received_us: int) -> list[Record]:
        if line.too_long:
            reason = f"message is longer than {MAX_MESSAGE_BYTES} bytes: is a line feed missing?"
            return [line.malformed(self._device, received_us, reason)]
        if not line.text.strip():
            return []
        try:
            return _Reader(self._device, received_us).message(line.text)
        except ValueError as error:
            return [line.malformed(self._device, received_us, str(error)[:LONGEST_REASON])]


class VelotrainSession(ListenSession):
    """A `base.Session` that listens and brings the raw times of all units to the scale of the pulses.

    Until the first pulse of a unit (at most a minute) its times are as it said them. The pulses are remembered
    over reconnects: a unit's clock does not change because the broker was away.
    """

    def __init__(self, device: Device, resume: Resume) -> None:
        super().__init__(device.id, VelotrainParser)
        self._errors_us: dict[str, int] = {}

    def receive(self, data: bytes, now_us: int) -> Reaction:
        """Parse and correct."""
        return Reaction(records=tuple(self._correct(record) for record in super().receive(data, now_us).records))

    def _correct(self, record: Record) -> Record:
        if isinstance(record, Unhandled) and record.name == SYNC_PULSE:
            error_us = pulse_error_us(int(record.detail["device_us"]))
            self._errors_us[str(record.detail["channel"])] = error_us
            return msgspec.structs.replace(record, detail={**record.detail, "correction_us": error_us})
        if isinstance(record, Passing | Impulse) and record.channel in self._errors_us:
            corrected_us = (record.device_us + self._errors_us[record.channel]) % DAY_US
            return msgspec.structs.replace(record, device_us=corrected_us)
        return record


# -- writing, for the simulated velotrain ---------------------------------------------------------------------


def _mpid(channel: str | None) -> int:
    if channel is None or not re.fullmatch("C[0-9]", channel):
        raise ValueError(f"channel {channel!r} is no measurement point of velotrain: give C0 to C9")
    return int(channel[1:])


def encode_rawpass(passing: Passing, date: str, rcv_us: int, name: str = "") -> bytes:
    """The payload of `velotrain/rawpass`; `rcv_us` is µs from midnight. Raises ValueError for an unknown channel."""
    message = {
        "date": date,
        "env": None,
        "refid": passing.transponder,
        "mpid": _mpid(passing.channel),
        "name": name,
        "time": format_time(passing.device_us),
        "rcv": format_time(rcv_us),
    }
    return msgspec.json.encode(message)


def encode_passing(record: Passing | Impulse, date: str, text: str = "") -> bytes:
    """The payload of `velotrain/passing`, without splits; an Impulse is the gate. Raises ValueError."""
    is_gate = isinstance(record, Impulse)
    message = {
        "index": record.sequence or 0,
        "date": date,
        "time": format_time(record.device_us, 2),
        "mpid": 0 if is_gate else _mpid(record.channel),
        "refid": GATE if isinstance(record, Impulse) else record.transponder,
        **dict.fromkeys(("env", "moto", "elap", "lap", "half", "qtr", "200", "100", "50")),
        "text": text,
    }
    return msgspec.json.encode(message)


def encode_timer(record: Passing | Impulse) -> bytes:
    """The payload of `velotrain/timer` (INDEX;SOURCE;CHANNEL;REFID;TOD). Raises ValueError for a bad channel."""
    source = _word(record.channel, "SOURCE")
    refid = _word(record.transponder, "REFID") if isinstance(record, Passing) else ""
    index = "" if record.sequence is None else str(record.sequence)
    return f"{index};{source};;{refid};{format_time(record.device_us)}".encode()


PROTOCOL = ProtocolEntry(
    name="velotrain",
    summary="passings that velotrain (or a foreign timer for it) publishes over MQTT",
    parser=VelotrainParser,
    session=VelotrainSession,
)
