"""The floor of the live path and nothing else: one pty read, one fsynced row, one QoS 1 publish.

`python -m tests.bench.floor TTY DATABASE PORT PAYLOAD_BYTES`; prints `ready`, SIGTERM ends it. The same interpreter,
event loop, SQLite settings and MQTT client as the service's; no parsing, no thread, no state, no second message.
"""

import asyncio
import os
import signal
import socket
import sys
import termios
import tty

import aiomqtt
import apsw

NO_DELAY = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)
INSERT = "INSERT INTO entry (at_us, kind, body, hash) VALUES (?, ?, ?, ?)"
END_OF_RECORD = b"\x8f"
ROW_TEXT = "A" * 400
"""As long as the journal's row of one passing."""


async def _serve(path: str, database: str, port: int, size: int) -> None:
    connection = apsw.Connection(database)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE entry (id INTEGER PRIMARY KEY, at_us, kind, body, hash)")
    line = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    tty.setraw(line, termios.TCSANOW)
    payload = b"A" * size
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    publishing: set[asyncio.Task[None]] = set()
    async with aiomqtt.Client("127.0.0.1", port, socket_options=NO_DELAY) as client:

        def read() -> None:
            # Mostly one frame; after a slow fsync there may be two, and each has its own row and message.
            for _ in range(os.read(line, 65_536).count(END_OF_RECORD)):
                connection.execute(INSERT, (0, "delivery", ROW_TEXT, bytes(32)))
                task = loop.create_task(client.publish("bench/floor", payload, qos=1))
                publishing.add(task)
                task.add_done_callback(publishing.discard)

        loop.add_reader(line, read)
        print("ready", flush=True)
        await ended.wait()
    os.close(line)
    connection.close()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
