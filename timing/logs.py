"""Structured logs as JSON lines: to a file, or to standard error where systemd's journal collects them."""

import logging
import sys
from pathlib import Path
from typing import TextIO

import structlog

QUIET_LIBRARIES = ("amqtt", "transitions", "mqtt", "passlib", "asyncio", "numba", "watchfiles")


class LogFileError(Exception):
    """The log file cannot be written; the message says which and why."""


def configure_logs(file: Path | None) -> None:
    """Send every log line as JSON to `file`, or to standard error when it is None. Raises LogFileError."""
    stream: TextIO = sys.stderr
    if file is not None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            stream = file.open("a", encoding="utf-8", buffering=1)
        except OSError as error:
            raise LogFileError(f"log file {file}: {error.strerror}; give a path that can be written") from error
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(),
        ],
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
        ],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    # A lost broker is logged once by the publisher; the libraries would tell it line by line.
    for name in QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(logging.CRITICAL)
