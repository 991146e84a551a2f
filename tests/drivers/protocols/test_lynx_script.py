"""deploy/finishlynx/velodrome.lss, run by a small model of FinishLynx's script engine, against our reader.

The model knows only what the vendor documents in the heading of the scripts that come with FinishLynx: the
prefixes U and X, register arithmetic, the ADD function, zero-padded output and the cursor. It refuses all else,
so the script cannot use what is not documented.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.protocols.lynx import LINE_KINDS, LineCounter, LynxParser, encode_script_start, encode_sheet
from drivers.records import Impulse, PhotoFinish, PhotoFinishLine, Record, Unhandled

SCRIPT = Path(__file__).parents[3] / "deploy" / "finishlynx" / "velodrome.lss"

# Section -> group codes that its format lines may use, from the vendor's heading.
CLOCK_SECTIONS = ["Armed", "Running", "Paused", "Stopped", "Gun", "Break", "Update", "OfDay"]
GROUPS = {
    "Initialization": {"10", "13", "17"},
    **{f"Time{name}": {"11", "13", "17"} for name in CLOCK_SECTIONS},
    "Wind": {"12", "13", "17"},
    **{f"{kind}{end}": {"13", "17"} for kind in ("Results", "StartList") for end in ("Header", "Trailer")},
    **{name: {"13", "14", "17"} for name in ("Result", "StartList")},
    **{name: {"13", "15", "17"} for name in ("MessageHeader", "MessageTrailer")},
    "Message": {"13", "15", "16", "17"},
}
TOKEN = re.compile(r"\\([0-9a-f]{2})|\\([UX=*+\-#&FOL])\\([0-9a-f]{2})|([^\\])")
FORMAT_LINE = re.compile(r"\\([0-9a-f]{2})\\([0-9a-f]{2})(.*)")


def sections() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    name = ""
    for line in SCRIPT.read_text("ascii").splitlines():
        if line.startswith(";;"):
            name = line.removeprefix(";;")
            assert name not in found
            found[name] = []
        elif line and not line.startswith(";"):
            found[name].append(line)
    return found


class Engine:
    """The documented part of the script engine. `bits` is the undocumented width of a register."""

    def __init__(self, bits: int) -> None:
        self.mask = (1 << bits) - 1
        self.registers = [0] * 10
        self.script = sections()

    def send(self, section: str, variables: dict[str, str] | None = None, row: int = 0) -> bytes:
        """Run a section; `variables` by their two-digit code. FinishLynx sets register 0 to the row's index."""
        if section in ("Result", "StartList", "Message"):
            self.registers[0] = row
        return b"".join(self.format(line, variables or {}) for line in self.script[section])

    def format(self, line: str, variables: dict[str, str]) -> bytes:
        match = FORMAT_LINE.fullmatch(line)
        assert match is not None, line
        _, variable, text = match.groups()
        assert text.count("%") == (variable != "00"), line
        out, cursor, prefix = bytearray(), 0, dict[str, int]()
        for piece in self.pieces(text, variables.get(variable, "")):
            if isinstance(piece, bytes):
                out[cursor:cursor] = piece
                cursor += len(piece)
                continue
            command, operand = piece
            if command in "UX":
                prefix[command] = operand
                continue
            if command == "L":
                cursor = cursor - operand if operand else 0
            elif command == "F":
                assert prefix == {"U": 2}, "only the ADD check sum is used"
                self.put(operand, self.registers[operand] + sum(out[cursor:]))
            elif command == "O":
                assert prefix["U"] == 3, "only zero-padded text is written"
                digits = b"%0*d" % (prefix["X"], self.registers[operand])
                assert len(digits) == prefix["X"], "the vendor does not say what happens to longer numbers"
                out[cursor:cursor] = digits
                cursor += len(digits)
            else:
                self.calculate(command, operand, prefix)
            prefix = {}
        return bytes(out)

    def calculate(self, command: str, target: int, prefix: dict[str, int]) -> None:
        # {register[U]|X|1}: whether a zero X counts as given is not documented, so it must not occur.
        assert prefix.get("X") != 0
        other = self.registers[prefix["U"]] if "U" in prefix else prefix.get("X", 1)
        value = self.registers[target]
        results = {"=": other, "*": value * other, "+": value + other, "-": value - other, "&": value & other}
        self.put(target, value % other if command == "#" else results[command])

    def put(self, register: int, value: int) -> None:
        self.registers[register] = value & self.mask

    @staticmethod
    def pieces(text: str, value: str) -> Iterator[bytes | tuple[str, int]]:
        before, marker, after = text.partition("%s")
        position = 0
        source = before + after
        while position < len(source) or marker:
            if marker and position == len(before):
                yield value.encode("cp1252")
                marker = ""
                continue
            token = TOKEN.match(source, position)
            assert token is not None, f"not documented: {source[position:]}"
            byte, command, operand, literal = token.groups()
            yield (bytes([int(byte, 16)]) if byte else (command, int(operand, 16)) if command else literal.encode())
            position = token.end()


def parse(data: bytes) -> list[Record]:
    parser = LynxParser("camera")
    return parser.feed(data, 9) + parser.close(9)


def heat(engine: Engine, places: list[str]) -> bytes:
    key = {"04": "17", "05": "1", "06": "2", "08": str(len(places))}
    header = {"01": "OFFICIAL", "02": "Keirin | men", "07": "AUTO", "0e": "20:11:54.4049"}
    data = engine.send("ResultsHeader", key | header)
    for row, place in enumerate(places):
        rider = {"01": place, "02": str(row + 1), "03": f"7{row}", "04": "Jörn Müßig", "05": "Köln"}
        data += engine.send("Result", rider | {"06": f"10.12{row}", "07": "0.001"}, row)
    return data + engine.send("ResultsTrailer", key)


@pytest.fixture(params=[17, 32, 64], ids="{}-bit registers".format)
def engine(request: pytest.FixtureRequest) -> Engine:
    return Engine(request.param)


def test_every_section_uses_only_the_groups_that_the_vendor_allows_in_it() -> None:
    for name, lines in sections().items():
        assert {line[1:3] for line in lines} <= GROUPS[name]


def test_no_section_that_falls_back_to_another_one_is_missing() -> None:
    assert set(sections()) == set(GROUPS)


def test_a_result_sheet_of_the_script_is_one_photo_finish(engine: Engine) -> None:
    started, sheet = parse(engine.send("Initialization") + heat(engine, ["1", "2", "DNF"]))
    assert isinstance(started, Unhandled)
    assert started.name == "script_started"
    assert isinstance(sheet, PhotoFinish)
    assert (sheet.event, sheet.round, sheet.heat, sheet.name) == ("17", "1", "2", "Keirin | men")
    assert (sheet.start_device_us, sheet.official, sheet.sequence) == (72_714_404_900, True, 2)
    assert sheet.lines[1:] == (
        PhotoFinishLine(place=2, bib="71", lane=2, name="Jörn Müßig", time_us=10_121_000),
        PhotoFinishLine(bib="72", lane=3, name="Jörn Müßig", time_us=10_122_000, status="DNF"),
    )


def test_the_simulated_camera_sends_the_same_bytes_as_the_script() -> None:
    engine = Engine(32)
    rider = PhotoFinishLine(place=1, bib="7", lane=4, name="Jörn", time_us=10_123_000)
    sheet = PhotoFinish(device="", received_us=0, event="17", round="1", heat="2", name="Keirin", lines=(rider,))
    key = {"04": "17", "05": "1", "06": "2", "08": "1"}
    sent = engine.send("Initialization")
    sent += engine.send("ResultsHeader", key | {"01": "UNOFFICIAL", "02": "Keirin", "07": "AUTO"})
    sent += engine.send("Result", {"01": "1", "02": "4", "03": "7", "04": "Jörn", "06": "10.123"})
    sent += engine.send("ResultsTrailer", key)
    counter = LineCounter()
    assert sent == encode_script_start(counter) + encode_sheet(sheet, counter, encoding="cp1252")


def test_every_section_is_read_without_complaint(engine: Engine) -> None:
    others = [name for name in engine.script if not name.startswith("Result")]
    data = b"".join(engine.send(name, {"01": "1", "08": "0"}) for name in others)
    names = [record.name for record in parse(data) if isinstance(record, Unhandled)]
    assert len(names) == len(others)
    assert set(names) == {kind.name for kind in LINE_KINDS.values() if not kind.name.startswith("result")}


def test_the_gun_of_the_script_is_an_impulse_when_it_tells_the_time_of_day(engine: Engine) -> None:
    data = engine.send("Initialization") + engine.send("TimeGun", {"01": "9:05:00.0001"})
    impulse = parse(data)[-1]
    assert isinstance(impulse, Impulse)
    assert impulse.device_us == 32_700_000_100


def test_the_count_goes_on_from_one_after_99999(engine: Engine) -> None:
    engine.send("Initialization")
    engine.registers[9] = 99_998
    data = b"".join(engine.send("TimeRunning", {"01": "1.2"}) for _ in range(3))
    assert re.findall(rb"\x01([0-9]{5})", data) == [b"99999", b"00001", b"00002"]
    assert [type(record) for record in parse(data)] == [Unhandled] * 3
