"""A listen-only session: everything goes to the parser, nothing ever to the box."""

from config.models import Device
from drivers.protocols.base import Resume
from drivers.protocols.json_mqtt import JsonParser
from drivers.protocols.listen import ListenSession, listen
from drivers.records import ClockReading, Malformed

DEVICE = Device(id="gateway", protocol="json", address="mqtt:timing/in")
CLOCK = b'{"kind":"clock","device_us":7}\n'


def session() -> ListenSession:
    return listen(JsonParser)(DEVICE, Resume(last_sequence=12))


def test_records_carry_the_device_of_the_meet_and_the_hosts_time() -> None:
    reaction = session().receive(CLOCK, 1_000)
    assert reaction.records == (ClockReading(device="gateway", received_us=1_000, device_us=7),)


def test_nothing_is_ever_sent() -> None:
    listening = session()
    reaction = listening.receive(CLOCK, 1_000)
    sent = [
        *reaction.send,
        *listening.connected(0),
        *listening.tick(1),
        *listening.committed(reaction.records, 2),
    ]
    assert sent == []
    assert listening.tick_us == 0


def test_a_lost_connection_reports_the_unfinished_message() -> None:
    listening = session()
    listening.receive(CLOCK[:10], 1_000)
    (record,) = listening.disconnected(2_000)
    assert isinstance(record, Malformed)
    assert record.received_us == 2_000


def test_a_new_connection_starts_with_an_empty_buffer() -> None:
    listening = session()
    listening.receive(CLOCK[:10], 1_000)
    listening.connected(2_000)
    assert len(listening.receive(CLOCK, 3_000).records) == 1
    assert listening.disconnected(4_000) == []
