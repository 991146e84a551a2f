"""Many consoles without a screen: raw readers of `/events` in one process, to put the weight of a race office on it.

`python -m tests.bench.crowd HOST PORT COOKIE COUNT REPORT`; prints `ready` when every stream has its snapshot. SIGTERM
ends it and writes the report, JSON: `samples` are [perf_counter_ns, bytes of all streams so far], twice a second;
`events` the numbered events of each stream; `missed` those that were left out.
"""

import asyncio
import json
import signal
import sys
import time
from pathlib import Path

SAMPLE_EVERY_S = 0.5
NUMBER = b"\nid: "
LONGEST_HEAD = 160
"""Bytes of an event before its data: its kind and its number."""


class Reader(asyncio.Protocol):
    """One stream: counts what comes and looks at nothing but the events' numbers."""

    def __init__(self, request: bytes, began: asyncio.Event) -> None:
        self._request = request
        self._began = began
        self._tail = b""
        self._first: int | None = None
        self._last = 0
        self.bytes = 0
        self.events = 0
        self.ended = False

    @property
    def missed(self) -> int:
        """Numbers between the first and the last that did not come."""
        return 0 if self._first is None else self._last - self._first + 1 - self.events

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self.bytes += len(data)
        text = self._tail + data
        at = text.find(NUMBER)
        end = 0
        while at >= 0 and (end := text.find(b"\n", at + 1)) >= 0:
            self._take(int(text[at:end].rpartition(b".")[2]))
            at = text.find(NUMBER, end)
        # A number that is cut in two is read with the next bytes; one that was read is not read twice.
        self._tail = text[at:] if at >= 0 else text[max(end, len(text) - LONGEST_HEAD) :]

    def _take(self, number: int) -> None:
        if self._first is None:
            self._first = number
            self._began.set()
        self._last = number
        self.events += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True


async def _watch(host: str, port: int, cookie: str, count: int) -> dict[str, object]:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    request = f"GET /events HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: {cookie}\r\nAccept: text/event-stream\r\n\r\n"
    began = [asyncio.Event() for _ in range(count)]
    readers = [Reader(request.encode(), one) for one in began]
    for reader in readers:
        await loop.create_connection(lambda reader=reader: reader, host, port)
    await asyncio.gather(*(one.wait() for one in began))
    print("ready", flush=True)
    samples: list[tuple[int, int]] = []
    while not ended.is_set():
        samples.append((time.perf_counter_ns(), sum(one.bytes for one in readers)))
        try:
            await asyncio.wait_for(ended.wait(), SAMPLE_EVERY_S)
        except TimeoutError:
            continue
    return {
        "samples": samples,
        "events": [one.events for one in readers],
        "missed": sum(one.missed for one in readers),
        "ended": sum(one.ended for one in readers),
    }


if __name__ == "__main__":
    found = asyncio.run(_watch(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
    Path(sys.argv[5]).write_text(json.dumps(found), encoding="utf-8")
