"""THbC commands: the bytes and checksums of the protocol text, and the unit's reading of them."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.protocols.thbc_commands import (
    CONFIG_FIELDS,
    Code,
    Command,
    CommandError,
    CommandReader,
    crc,
    encode_ack,
    encode_ask_status,
    encode_get_config,
    encode_level,
    encode_raise_levels,
    encode_remote_status,
    encode_repeat,
    encode_set_config,
    encode_set_date,
    encode_set_network,
    encode_set_time,
    encode_start,
    encode_stop,
    read_setting,
    with_setting,
)

CONFIG = bytes.fromhex("01 00 02 00 00 00 00 01 00 01 30 01 14 31 00 0800 0900 1000 1100 1234 30 40")

COMMANDS = {
    encode_ask_status(): ("1b 05", Command(Code.STATUS)),
    encode_start(): ("1b 07", Command(Code.START)),
    encode_stop(): ("1b 13 5c", Command(Code.STOP)),
    encode_get_config(): ("1b 10", Command(Code.GET_CONFIG)),
    encode_ack(): ("1b 11", Command(Code.ACK)),
    encode_repeat(): ("1b 12", Command(Code.REPEAT)),
    encode_set_time(14, 30, 5): ("1b 48 0e 1e 05 74", Command(Code.SET_TIME, bytes((14, 30, 5)))),
    encode_set_date(date(2012, 5, 23)): ("1b 0a 0a 17 05 0c 1d ca 3e", Command(Code.SET_DATE, bytes((23, 5, 12)))),
    encode_set_date(date(2023, 5, 12)): ("1b 0a 0a 0c 05 17 1f ab 3e", Command(Code.SET_DATE, bytes((12, 5, 23)))),
    encode_level("STA", 40): ("1b 1e 34 30", Command(Code.LEVEL_STA, b"40")),
    encode_level("BOX", 5): ("1b 1f 30 35", Command(Code.LEVEL_BOX, b"05")),
    encode_remote_status(7): ("1b 49 37", Command(Code.REMOTE_STATUS, b"7")),
    encode_raise_levels(): ("1b 4e 2b", Command(Code.RAISE_LEVELS)),
    encode_set_network("192.168.95.11", "255.255.255.0", "192.168.95.1", "192.168.95.252"): (
        "1b 09 09 c0a85f0b ffffff00 c0a85f01 c0a85ffc 39 3d 3e",
        Command(Code.SET_NETWORK, bytes.fromhex("c0a85f0b ffffff00 c0a85f01 c0a85ffc")),
    ),
}


@pytest.mark.parametrize("wire", COMMANDS)
def test_each_command_has_the_bytes_of_the_protocol_text(wire: bytes) -> None:
    text, command = COMMANDS[wire]
    assert wire == bytes.fromhex(text)
    assert CommandReader().feed(wire) == [command]


def test_the_crc_is_mcrf4xx_high_byte_first() -> None:
    assert crc(b"123456789") == b"\x6f\x91"
    assert crc((123_456).to_bytes(3, "big")) == b"\xfb\xc2"


def test_set_config_carries_27_bytes_and_their_crc() -> None:
    wire = encode_set_config(CONFIG)
    assert wire == b"\x1b\x08\x08" + CONFIG + crc(b"\x08\x08" + CONFIG) + b"\x3e"
    assert len(wire) == 33
    assert CommandReader().feed(wire) == [Command(Code.SET_CONFIG, CONFIG)]


def test_the_unit_reads_commands_in_any_split_and_refuses_damage() -> None:
    wires = b"".join(COMMANDS)
    reader = CommandReader()
    found = [command for byte in wires for command in reader.feed(bytes((byte,)))]
    assert found == [command for _, command in COMMANDS.values()]
    damaged = bytearray(encode_set_date(date(2023, 5, 12)))
    damaged[4] ^= 1
    assert CommandReader().feed(bytes(damaged) + b"??" + b"\x1b\x99" + encode_ack()) == [
        *(None, None, None, Command(Code.ACK))
    ]


@given(data=st.binary(max_size=80))
def test_the_command_reader_never_raises(data: bytes) -> None:
    assert all(command is None or command.code in Code for command in CommandReader().feed(data))


def test_settings_are_decimal_read_as_hex() -> None:
    assert sorted(i for first, size in CONFIG_FIELDS.values() for i in range(first, first + size)) == list(range(27))
    config = with_setting(with_setting(bytes(27), "tone_bxx", 1234), "cell_minutes", 31)
    assert config.hex() == "00" * 13 + "31" + "00" * 9 + "1234" + "0000"
    assert (read_setting(config, "tone_bxx"), read_setting(config, "cell_minutes")) == (1234, 31)


def test_commands_refuse_what_they_cannot_carry() -> None:
    with pytest.raises(CommandError, match="time 24:0:0 does not exist"):
        encode_set_time(24, 0, 0)
    with pytest.raises(CommandError, match="year 1999"):
        encode_set_date(date(1999, 1, 1))
    with pytest.raises(CommandError, match="CONFIG has 26 bytes"):
        encode_set_config(bytes(26))
    with pytest.raises(CommandError, match="give four IPv4 addresses"):
        encode_set_network("192.0.2.1", "x", "192.0.2.1", "192.0.2.1")
    with pytest.raises(CommandError, match="level 100 of 'STA'"):
        encode_level("STA", 100)
    with pytest.raises(CommandError, match="remote box 8"):
        encode_remote_status(8)
    with pytest.raises(CommandError, match="setting 'colour' does not exist"):
        with_setting(bytes(27), "colour", 1)
    with pytest.raises(CommandError, match="level_sta 100 does not fit"):
        with_setting(bytes(27), "level_sta", 100)
