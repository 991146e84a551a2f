"""An MQTT client that says of each message when and how it came, and acknowledges it when it is told to.

aiomqtt 2.5 neither passes on paho's `manual_ack` nor the flags of a connection and of a message; this subclass
takes them where paho hands them over.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

import aiomqtt
import msgspec
from paho.mqtt.client import Client as PahoClient
from paho.mqtt.client import ConnectFlags, MQTTMessage
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

AT_LEAST_ONCE = 1
"""QoS 1: delivered, perhaps twice; protocols number their messages."""


class Arrival(msgspec.Struct, frozen=True):
    """How one message came. `message_id` is 0 for QoS 0, which is never acknowledged."""

    received_us: int
    message_id: int
    repeated: bool
    """DUP (MQTT 3.1.1 §3.3.1.1): it was sent on this session before and was not acknowledged."""
    retained: bool
    """From the broker's memory because we subscribed (§3.3.1.3)."""


class WatchedClient(aiomqtt.Client):
    """`arrivals` has one entry for each message of `messages`, in the same order, made when it was read."""

    def __init__(self, *arguments: Any, now_us: Callable[[], int], acknowledge_later: bool, **options: Any) -> None:
        """`acknowledge_later`: nothing is acknowledged but by `acknowledge`. The rest is aiomqtt's."""
        super().__init__(*arguments, **options)
        self.arrivals: deque[Arrival] = deque()
        self.arrived = 0
        """Messages so far."""
        self.session_present = False
        """Whether the broker remembered us at the connection (§3.2.2.2)."""
        self._now_us = now_us
        self._client.manual_ack_set(acknowledge_later)

    def acknowledge(self, message_id: int) -> None:
        """PUBACK for a message of QoS 1. On a connection that just broke it does nothing: the message comes again."""
        self._client.ack(message_id, AT_LEAST_ONCE)

    def _on_connect(
        self,
        client: PahoClient,
        userdata: Any,
        flags: ConnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        self.session_present = bool(flags.session_present)
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_message(self, client: PahoClient, userdata: Any, message: MQTTMessage) -> None:
        self.arrived += 1
        message_id = message.mid if message.qos else 0
        self.arrivals.append(Arrival(self._now_us(), message_id, bool(message.dup), bool(message.retain)))
        super()._on_message(client, userdata, message)
