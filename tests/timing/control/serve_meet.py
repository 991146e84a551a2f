"""The timing service of a meet without boxes as a process of its own, to be killed: PORT JOURNAL."""

import asyncio
import sys
from pathlib import Path

import msgspec

from config.loader import load_setup
from config.models import Broker, Setup
from timing.paths import prepare_kernels

MEET = "tokyo2020-men-keirin"


def bare_setup(port: int) -> Setup:
    """The Tokyo meet without boxes, on a broker of this machine."""
    setup = load_setup(MEET)
    meet = msgspec.structs.replace(setup.meet, devices=(), broker=Broker(host="127.0.0.1", port=port))
    return msgspec.structs.replace(setup, meet=meet)


def main() -> None:
    """Serve until killed."""
    prepare_kernels()
    # Only now: importing the service loads the kernels from their cache.
    from timing.app import Service, make_clock

    service = Service(bare_setup(int(sys.argv[1])), Path(sys.argv[2]), make_clock())
    try:
        asyncio.run(service.run())
    finally:
        service.close()


if __name__ == "__main__":
    main()
