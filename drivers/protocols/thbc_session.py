"""The conversation with one THbC unit, over serial or UDP: acknowledgements, repeats, status. Sans-I/O.

The unit holds one passing until it is acknowledged, repeats it every 1 to 2 s, and keeps the others behind it. An ACK
names no passing: it is for the one that the unit holds when it arrives. So one ACK too many throws away a passing that
nobody may have. The rules that follow:

- One ACK for each passing, from `committed`. A connection acknowledges only what it brought itself.
- A line that was received before is no second passing: it becomes `passing_repeated`. Either our ACK was lost, or it is
  still on its way; in the second case another one would free the next passing, unseen. Answers come in the order of the
  questions, so the status is asked: a repeat that comes behind an answer to a question behind the ACK is of a passing
  that the unit still holds, and is acknowledged. Not asked is `1b 12`: the unit answers it with the last acknowledged
  passing when it holds none, so its answer proves nothing. (A unit that answers nothing: 10 s after the ACK.)
- The same damaged passing four times: the unit cannot send this one whole. It is acknowledged, once its bytes are on
  disk, or the line would stay stuck. Damage that differs each time is the line's: the passing is good in the unit, and
  it is left to the unit's repeat however long that takes. Damaged lines while an ACK is due are not counted.
- Its sum is a plain one: two bent bits can leave it as it was. On a line that damaged anything in the last ten minutes
  a passing counts when it has come twice alike: the unit is asked for it again (`1b 12`; it holds this one, so that is
  what it answers). A copy that came once only is Malformed.
- A repeat or a damaged line is not acknowledged any more when a new passing came before the ACK left.

How a passing is told to come from the unit's memory (`backlog`), as nothing in it says so: until the first live passing
of a connection, it is backlog when its time lies before the first status of the connection. If the unit is stopped or
does not answer, backlog ends with the first pause of 2 s, because memory is sent without pauses. Backlog too is what
had to wait: a passing that came after a damaged copy of itself, one that is older than the unit's time by the last
status, and those that waited in the unit behind one that was acknowledged late.
"""

from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Final

import msgspec

from config.models import Device
from drivers.protocols.base import Reaction, Resume
from drivers.protocols.thbc_commands import encode_ack, encode_ask_status, encode_get_config, encode_repeat
from drivers.protocols.thbc_parser import Held, Parsed, ThbcParser
from drivers.protocols.thbc_wire import DAY_US
from drivers.records import DeviceStatus, Impulse, Malformed, Passing, Record, Unhandled

STATUS_EVERY_US: Final = 5_000_000
DAMAGED_AT_MOST: Final = 3
"""So often the same damaged passing is left to the unit's repeat; the next is acknowledged."""
REMEMBERED_DAMAGE: Final = 64
CROSSING_US: Final = 500_000
"""A repeat this soon after an ACK may have left before the ACK arrived; units repeat after 1 s or later."""
UNDER_WAY_AT_MOST_US: Final = 10_000_000
"""Nothing takes longer to the unit or back; what is not answered by then was lost."""
BACKLOG_PAUSE_US: Final = 2_000_000
DOUBTFUL_FOR_US: Final = 600_000_000
"""So long after a damaged line each passing is compared with a second copy."""
CLOCK_SET_US: Final = 10_000_000
"""Status times are whole seconds, and an answer may be late: a larger jump is a clock that was set."""
REPEATED_WITHIN_US: Final = 2_500_000
"""Units repeat after 1 to 2 s: a passing this soon after a damaged line may be its second try."""
PROMPT_US: Final = 100_000
"""An acknowledgement later than this kept the passings behind its own waiting."""
WAITED_US: Final = 250_000
"""A passing this much older than the unit's time has waited: a first datagram that was lost leaves no other trace."""
WAITED_AT_MOST_US: Final = 30_000_000
"""More than that is no queue but a clock that was set since the last status."""
UNSURE_AT_MOST: Final = 16
REMEMBERED_LINES: Final = 256
"""Only the last line can come again; over UDP a late datagram may bring one that is a little older."""
STOPPED: Final = "stopped, it times nothing: start it at the unit"


class _Backlog:
    """What the unit held when the connection began, until the first live passing."""

    def __init__(self, now_us: int) -> None:
        self._running = True
        self._quiet_since_us = now_us
        self._began_device_us: int | None = None
        self._shown_less_host_us = 0

    def note_clock(self, status_us: int, now_us: int) -> None:
        """The unit's time now. The first counts, on the clock as it is now set; 0 is that of a stopped unit."""
        if status_us == 0:
            return
        shown_less_host_us = status_us - now_us
        if self._began_device_us is None:
            self._began_device_us = status_us
        else:
            jump_us = (shown_less_host_us - self._shown_less_host_us + DAY_US // 2) % DAY_US - DAY_US // 2
            if abs(jump_us) <= CLOCK_SET_US:
                return
            self._began_device_us = (self._began_device_us + jump_us) % DAY_US
        self._shown_less_host_us = shown_less_host_us

    def covers(self, device_us: int, now_us: int) -> bool:
        """Whether a new passing comes from memory; the first that does not ends it."""
        if self._began_device_us is not None:
            # Up to half a day before, so that a memory over midnight is one too.
            age_us = (self._began_device_us - device_us) % DAY_US
            self._running = self._running and 0 < age_us < DAY_US // 2
        else:
            self._running = self._running and now_us - self._quiet_since_us < BACKLOG_PAUSE_US
        if self._running:
            self._quiet_since_us = now_us
        return self._running


class _Questions:
    """Whether an ACK may still be under way: the unit hears in order and answers in order.

    Over reconnects too: on a serial line or over UDP what was sent before is not recalled.
    """

    def __init__(self) -> None:
        self._asked: deque[tuple[int, int]] = deque()
        """Of each unanswered status question, when it left and how many ACKs had left before."""
        self._acknowledged = 0
        self._arrived = 0
        """So many of the ACKs have arrived or are lost."""
        self.acknowledged_us: int | None = None

    def ask(self, now_us: int) -> bytes:
        """The question for the status."""
        self._asked.append((now_us, self._acknowledged))
        return encode_ask_status()

    def acknowledge(self, now_us: int) -> bytes:
        """An ACK."""
        self._acknowledged += 1
        self.acknowledged_us = now_us
        return encode_ack()

    def answered(self, now_us: int) -> None:
        """A status came. A lost answer makes the next ones count for older questions, which errs on the safe side."""
        while self._asked and now_us - self._asked[0][0] > UNDER_WAY_AT_MOST_US:
            self._asked.popleft()
        if self._asked:
            self._arrived = max(self._arrived, self._asked.popleft()[1])

    def went_on(self) -> None:
        """A new passing came: it was freed by our last ACK."""
        self._arrived = self._acknowledged

    def may_be_under_way(self, now_us: int) -> bool:
        """Whether an ACK may have left that has neither arrived nor is lost."""
        if self.acknowledged_us is None or self._arrived >= self._acknowledged:
            return False
        return now_us - self.acknowledged_us <= UNDER_WAY_AT_MOST_US


class _Copies:
    """Passings of a line that damages what it carries, until each has come twice alike."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[bytes, Parsed] = OrderedDict()

    def second(self, parsed: Parsed) -> Parsed | None:
        """The first copy, if there was one like this; else this is the first, and None is returned."""
        first = self._waiting.pop(parsed.line, None)
        if first is None:
            self._waiting[parsed.line] = parsed
        return first

    def others(self, at_most: int) -> list[Parsed]:
        """Take out all but the newest `at_most` of the copies that were not confirmed."""
        return [self._waiting.popitem(last=False)[1] for _ in range(len(self._waiting) - at_most)]


class _Queue:
    """Whether a passing had to wait in the unit, so that its arrival says nothing about its time."""

    def __init__(self) -> None:
        self._damaged_us: int | None = None
        self._freed_us: int | None = None
        self._freed_late = False
        self._held_waited = False
        self._shown: tuple[int, int] | None = None

    def shows(self, status_us: int, now_us: int) -> None:
        """The unit's time, cut to whole seconds, as it is known at `now_us`; 0 says nothing: stopped, or midnight."""
        if status_us:
            self._shown = status_us, now_us

    def _is_old(self, device_us: int, now_us: int) -> bool:
        if self._shown is None:
            return False
        status_us, received_us = self._shown
        # At least so late is it at the unit: a status is cut, and was on its way.
        age_us = (status_us + now_us - received_us - device_us + DAY_US // 2) % DAY_US - DAY_US // 2
        return WAITED_US < age_us < WAITED_AT_MOST_US

    def damaged(self, now_us: int) -> None:
        """A line came damaged: the unit will repeat it."""
        self._damaged_us = now_us

    def acknowledged(self, record: Record, now_us: int) -> None:
        """An ACK leaves for a record: what waits behind it comes next."""
        first_try = isinstance(record, Passing | Impulse) and not self._held_waited
        self._freed_us, self._freed_late = now_us, not first_try or now_us - record.received_us > PROMPT_US

    def waited(self, device_us: int, now_us: int) -> bool:
        """A passing came now that the unit will hold: whether it had to wait for that."""
        repeated = self._damaged_us is not None and now_us - self._damaged_us <= REPEATED_WITHIN_US
        freed = self._freed_late and self._freed_us is not None and now_us - self._freed_us < CROSSING_US
        self._held_waited = repeated or freed or self._is_old(device_us, now_us)
        return self._held_waited


class ThbcSession:
    """The conversation with one unit over its connections, as `drivers.protocols.base.Session`."""

    tick_us = STATUS_EVERY_US

    def __init__(self, device: Device, resume: Resume) -> None:
        """`resume` is not needed: the unit itself knows what was not acknowledged."""
        self._device = device.id
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._questions = _Questions()
        self._doubtful_since_us: int | None = None
        self._begin(0)
        self._is_connected = False

    def _begin(self, now_us: int) -> None:
        self._parser = ThbcParser(self._device)
        self._due: deque[Record] = deque()
        self._damaged: OrderedDict[bytes, int] = OrderedDict()
        """How often each damaged line came since the last good passing."""
        self._in_doubt = False
        self._unsure = False
        self._copies = _Copies()
        self._queue = _Queue()
        self._zero_times = 0
        self._backlog = _Backlog(now_us)

    def connected(self, now_us: int) -> Sequence[bytes]:
        """Ask for the configuration and the status; the unit repeats by itself what it holds."""
        self._begin(now_us)
        self._is_connected = True
        return (encode_get_config(), self._questions.ask(now_us))

    def receive(self, data: bytes, now_us: int) -> Reaction:
        """Bytes to records. A passing is acknowledged when it is on disk; from here only the status is asked."""
        self._in_doubt = self._unsure = False
        records = [record for parsed in self._parser.read(data, now_us) for record in self._take(parsed, now_us)]
        questions = [encode_repeat()] if self._unsure else []
        if self._in_doubt:
            questions.append(self._questions.ask(now_us))
        return Reaction(tuple(records), tuple(questions))

    def disconnected(self, now_us: int) -> Sequence[Record]:
        """Report an unfinished line. What was not acknowledged comes again on the next connection."""
        self._is_connected = False
        self._due.clear()
        return self._parser.close(now_us)

    def tick(self, now_us: int) -> Sequence[bytes]:
        """Ask for the status: noise, levels, and whether the unit runs and hears us."""
        return (self._questions.ask(now_us),) if self._is_connected else ()

    def committed(self, records: Sequence[Record], now_us: int) -> Sequence[bytes]:
        """One ACK for each passing of this connection that is on disk now, in order."""
        acknowledgements: list[bytes] = []
        for record in records:
            if record in self._due:
                self._due.remove(record)
                self._queue.acknowledged(record, now_us)
                acknowledgements.append(self._questions.acknowledge(now_us))
        return acknowledgements

    def _take(self, parsed: Parsed, now_us: int) -> list[Record]:
        record = parsed.record
        if isinstance(record, Malformed):
            self._doubtful_since_us = now_us
            self._queue.damaged(now_us)
        if isinstance(record, Passing | Impulse):
            return self._take_passing(record, parsed, now_us)
        if parsed.held is Held.DAMAGED and not self._due:
            self._take_damaged(record, parsed.line, now_us)
        if isinstance(record, DeviceStatus) and parsed.status_us is not None:
            self._questions.answered(now_us)
            return [self._take_status(record, parsed.status_us, now_us)]
        return [record]

    def _take_damaged(self, record: Record, line: bytes, now_us: int) -> None:
        self._damaged[line] = self._damaged.get(line, 0) + 1
        if len(self._damaged) > REMEMBERED_DAMAGE:
            self._damaged.popitem(last=False)
        if self._damaged.get(line, 0) <= DAMAGED_AT_MOST:
            return
        if self._questions.may_be_under_way(now_us):
            self._in_doubt = True
            return
        self._damaged.clear()
        self._due.append(record)

    def _take_passing(self, record: Passing | Impulse, parsed: Parsed, now_us: int) -> list[Record]:
        self._damaged.clear()
        if parsed.line in self._seen:
            return [self._take_repeat(record, now_us)]
        refused: list[Record] = []
        if self._doubtful_since_us is not None and now_us - self._doubtful_since_us <= DOUBTFUL_FOR_US:
            first = self._copies.second(parsed)
            self._unsure = first is None
            refused += [self._differs(copy) for copy in self._copies.others(UNSURE_AT_MOST if self._unsure else 0)]
            if first is None:
                # Whole or nearly so: what was damaged of it before is not acknowledged any more.
                self._keep_only_passings_due()
                return refused
            # The same line, but for when it came: the first time is the nearer one.
            record = msgspec.structs.replace(record, received_us=first.record.received_us)
        self._questions.went_on()
        self._seen[parsed.line] = None
        if len(self._seen) > REMEMBERED_LINES:
            self._seen.popitem(last=False)
        waited = self._queue.waited(record.device_us, record.received_us)
        if self._backlog.covers(record.device_us, now_us) or waited:
            record = msgspec.structs.replace(record, backlog=True)
        # The unit has gone on: an ACK for what it repeated before would be taken for this passing.
        self._keep_only_passings_due()
        self._due.append(record)
        return [*refused, record]

    def _keep_only_passings_due(self) -> None:
        self._due = deque(due for due in self._due if isinstance(due, Passing | Impulse))

    def _differs(self, copy: Parsed) -> Malformed:
        return Malformed(
            device=self._device,
            received_us=copy.record.received_us,
            offset=copy.offset,
            reason="its sum is right, but no second copy of it came: bits of it were bent",
            raw=copy.line.hex(),
        )

    def _take_repeat(self, record: Passing | Impulse, now_us: int) -> Record:
        detail: dict[str, int | str] = {"device_us": record.device_us, "channel": record.channel or ""}
        if isinstance(record, Passing):
            detail["transponder"] = record.transponder
        repeated = Unhandled(device=self._device, received_us=now_us, name="passing_repeated", detail=detail)
        if self._due:
            return repeated
        if self._questions.may_be_under_way(now_us):
            self._in_doubt = True
        elif not self._is_crossing(now_us):
            self._due.append(repeated)
        return repeated

    def _is_crossing(self, now_us: int) -> bool:
        acknowledged_us = self._questions.acknowledged_us
        return acknowledged_us is not None and now_us - acknowledged_us < CROSSING_US

    def _take_status(self, status: DeviceStatus, status_us: int, now_us: int) -> DeviceStatus:
        """At midnight a running unit shows 00:00'00 too, but not twice 5 s apart."""
        self._backlog.note_clock(status_us, now_us)
        self._queue.shows(status_us, now_us)
        self._zero_times = self._zero_times + 1 if status_us == 0 else 0
        if self._zero_times < 2:
            return status
        return msgspec.structs.replace(status, text=f"{STOPPED}; {status.text}")
