"""What a meet file may write as a device's address, and what it is told when it writes something else."""

import pytest

from config.models import Broker
from drivers.errors import AddressError
from drivers.hostclock import HostClock
from drivers.transports import (
    FolderAddress,
    MqttAddress,
    SerialAddress,
    TcpAddress,
    UdpAddress,
    create_transport,
    parse_address,
)


def test_a_serial_port_without_settings_is_9600_8n1() -> None:
    address = parse_address("serial:/dev/ttyUSB0")
    assert address == SerialAddress(text="serial:/dev/ttyUSB0", path="/dev/ttyUSB0")
    assert isinstance(address, SerialAddress)
    assert (address.baud, address.bits, address.parity, address.stop, address.flow) == (
        9600,
        8,
        "none",
        1,
        "none",
    )


def test_all_settings_of_a_serial_port_can_be_given() -> None:
    text = "serial:/dev/thbc?baud=19200&bits=7&parity=even&stop=2&flow=hardware&dtr=off&rts=off"
    assert parse_address(text) == SerialAddress(
        text=text,
        path="/dev/thbc",
        baud=19200,
        bits=7,
        parity="even",
        stop=2,
        flow="hardware",
        dtr="off",
        rts="off",
    )


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("tcp:192.168.1.51:5403", "192.168.1.51"),
        ("tcp:decoder:5403", "decoder"),
        ("tcp:[fe80::1]:5403", "fe80::1"),
    ],
)
def test_a_tcp_address_is_host_and_port(text: str, host: str) -> None:
    assert parse_address(text) == TcpAddress(text=text, host=host, port=5403)


def test_a_udp_address_has_a_port_at_each_end() -> None:
    text = "udp:[fe80::1]:2008?local=2009&source=port"
    assert parse_address(text) == UdpAddress(text=text, host="fe80::1", port=2008, local=2009, source="port")
    plain = parse_address("udp:hub:2008")
    assert plain == UdpAddress(text="udp:hub:2008", host="hub", port=2008)
    assert isinstance(plain, UdpAddress)
    assert plain.local_port == 2008


@pytest.mark.parametrize(
    ("text", "path"),
    [("serial:usb:A50285BI?baud=19200", ""), ("serial:/dev/ttyUSB0?usb_serial=A50285BI&baud=19200", "/dev/ttyUSB0")],
)
def test_a_serial_port_may_be_named_by_its_adapter_s_usb_serial_number(text: str, path: str) -> None:
    assert parse_address(text) == SerialAddress(text=text, path=path, baud=19_200, usb_serial="A50285BI")


def test_an_adapter_with_several_ports_says_which() -> None:
    address = parse_address("serial:usb:FT4XYZ?usb_interface=2")
    assert isinstance(address, SerialAddress)
    assert (address.usb_serial, address.usb_interface) == ("FT4XYZ", 2)


def test_an_mqtt_address_is_a_topic() -> None:
    assert parse_address("mqtt:loops/finish") == MqttAddress(text="mqtt:loops/finish", topic="loops/finish")


def test_a_folder_has_a_pattern() -> None:
    text = "folder:/srv/lynx?pattern=*.lif"
    assert parse_address(text) == FolderAddress(text=text, path="/srv/lynx", pattern="*.lif")


@pytest.mark.parametrize(
    ("text", "reason", "advice"),
    [
        ("", "no device address", "tcp:host:port"),
        ("/dev/ttyUSB0", "no device address", "serial:/dev/ttyUSB0"),
        ("tcp:", "no device address", "tcp:host:port"),
        ("usb:1", "no transport named 'usb'", "mqtt:topic"),
        ("tcp:decoder", "the port is missing", "tcp:host:port"),
        ("tcp:decoder:http", "'http' is no port", "1 to 65535"),
        ("tcp:decoder:65536", "'65536' is no port", "1 to 65535"),
        ("tcp:fe80::1:5403", "brackets", "tcp:[fe80::1]:5403"),
        ("udp:hub", "the port is missing", "udp:host:port"),
        ("udp:hub:2008?local=70000", "local=70000 is no port", "1 to 65535"),
        ("udp:fe80::1:2008", "brackets", "udp:[fe80::1]:2008"),
        ("udp:hub:2008?from=any", "no setting 'from'", "known settings: local, source"),
        ("serial:usb:", "USB serial number is missing", "doctor"),
        ("serial:/dev/a?usb_serial=", "USB serial number is missing", "doctor"),
        ("serial:usb:A?usb_serial=B", "given twice", "serial:usb:SERIALNUMBER"),
        ("serial:/dev/a?usb_interface=1", "means nothing", "usb_serial"),
        ("serial:?baud=9600", "the path is missing", "serial:/dev/ttyUSB0"),
        ("serial:/dev/a?speed=9600", "no setting 'speed'", "baud, bits, parity, stop, flow, dtr, rts"),
        ("serial:/dev/a?baud=fast", "a setting is wrong", "correct it"),
        ("serial:/dev/a?baud=0", "baud=0 is no line speed", "baud=19200"),
        ("serial:/dev/a?bits=9", "bits=9", "5, 6, 7 or 8"),
        ("serial:/dev/a?stop=3", "stop=3", "1, 1.5 or 2"),
        ("serial:/dev/a?parity=maybe", "a setting is wrong", "correct it"),
        ("serial:/dev/a?baud", "cannot be read", "name=value"),
        ("serial:/dev/a?baud=1&baud=2", "given twice", "keep one"),
        ("serial:/dev/a?path=/dev/b", "no setting 'path'", "known settings"),
        ("mqtt:loops/+", "not a wildcard", "without + and #"),
        ("mqtt:/loops", "slash", "without that slash"),
        ("folder:/srv?glob=*", "no setting 'glob'", "known settings: pattern"),
    ],
)
def test_a_wrong_address_is_told_where_it_is_wrong_and_what_may_stand_there(
    text: str, reason: str, advice: str
) -> None:
    with pytest.raises(AddressError) as caught:
        parse_address(text)
    assert caught.value.where == repr(text)
    assert reason in caught.value.reason
    assert advice in caught.value.advice


@pytest.mark.parametrize("text", ["serial:/dev/a", "serial:usb:A", "tcp:a:1", "udp:a:1", "mqtt:a", "folder:/a"])
async def test_every_kind_of_address_has_a_transport(text: str, clock: HostClock) -> None:
    transport = create_transport(text, clock, Broker())
    await transport.close()
    assert type(transport).__name__.lower().startswith(text.split(":")[0])
