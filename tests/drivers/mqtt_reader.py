"""A timing host reduced to one JSON box over MQTT, to be killed: `mqtt_reader.py PORT JOURNAL WRITTEN SETTLED`.

Every delivery goes to the file JOURNAL, one JSON line with fsync. After WRITTEN deliveries the disk hangs: later
ones are received and never written. After SETTLED deliveries the answer of the disk hangs: they are written, and
nobody is told, so they are not acknowledged. A number on standard output for each delivery that came.
"""

import asyncio
import os
import sys
from functools import partial
from pathlib import Path

import msgspec

from config.models import Broker, Device
from drivers.hostclock import HostClock
from drivers.protocols.base import Resume
from drivers.protocols.json_mqtt import JsonSession
from drivers.records import Delivery, Impulse, Passing
from drivers.supervisor import DeviceSupervisor
from drivers.transports import create_transport

BOX = Device(id="gate", protocol="json", address="mqtt:loops/finish")
SESSION = "velodrome-test-gate"


def read_journal(path: Path) -> list[Delivery]:
    """All deliveries on disk."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [msgspec.json.decode(line, type=Delivery) for line in lines]


def newest_number(path: Path) -> int | None:
    """The highest number of a box's record on disk."""
    records = [record for delivery in read_journal(path) for record in delivery.records]
    numbers = [one.sequence for one in records if isinstance(one, Passing | Impulse) and one.sequence is not None]
    return max(numbers, default=None)


class _Host:
    def __init__(self, journal: Path, written: int, settled: int) -> None:
        self._journal, self._written, self._settled = journal, written, settled
        self._came = 0

    def deliver(self, delivery: Delivery) -> asyncio.Future[None]:
        """Write it down unless the disk hangs, and tell so unless the answer hangs."""
        self._came += 1
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._came <= self._written:
            with self._journal.open("ab") as file:
                file.write(msgspec.json.encode(delivery) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            if self._came <= self._settled:
                answer.set_result(None)
        print(self._came, flush=True)
        return answer


async def serve(port: int, journal: Path, written: int, settled: int) -> None:
    """Read until killed."""
    clock = HostClock()
    line = partial(create_transport, BOX.address, clock, Broker(host="127.0.0.1", port=port), session=SESSION)
    session = JsonSession(BOX, Resume(newest_number(journal)))
    host = _Host(journal, written, settled)
    await DeviceSupervisor(BOX, session, line, clock, host.deliver, lambda health: None).run()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
