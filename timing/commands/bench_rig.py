"""`velodrome rig MEET SCRIPT --check REPORT.xml`: ride a script's heats against race control and check `[expect]`.

Race control runs beside it (`velodrome run MEET`, with a new journal). The bench is its operator, starter and
president over MQTT, like any console; what it checks is what race control published, and nothing else.
"""

import asyncio
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import aiomqtt
import msgspec

from config.models import Setup
from drivers.errors import DriverError
from drivers.hostclock import HostClock
from drivers.rig.expect import Expect
from drivers.rig.rig import Rig
from drivers.rig.script import Script
from timing.control.broker import client_options
from timing.control.messages import CommandReply, CommandRequest
from timing.race.actions import AnyAction, Arm, Confirm, OpenHeat

REPLY_TIMEOUT_S: Final = 5.0
BOXES_TIMEOUT_S: Final = 30.0
CLOCKS_KNOWN_US: Final = 12_000_000
"""The boxes' clocks are asked fast at first: after so long a fit has something to hold on to."""
SETTLE_US: Final = 12_000_000
"""After the last step of the heat: backlogs, repeated sheets and questions asked again."""
GRACE_S: Final = 10.0
"""Real time on top of all that: how long race control may be behind."""
OVER: Final = ("finished", "provisional", "official")
INFERRED: Final = ("interpolated", "predicted", "accepted")


class BenchError(DriverError):
    """The bench cannot check anything: what is missing, and how to mend it."""


@dataclass(frozen=True)
class Check:
    """One expectation of one heat; `problem` is empty where it held."""

    heat: str
    name: str
    problem: str = ""


@dataclass
class Seen:
    """What race control published: the newest message of each topic, and passings by heat and device."""

    topics: dict[str, dict[str, Any]] = field(default_factory=dict)
    passings: Counter[tuple[str, str]] = field(default_factory=Counter)
    reads: set[str] = field(default_factory=set)

    def take(self, topic: str, message: dict[str, Any]) -> None:
        """Keep a message; `topic` is below the meet."""
        if topic != "passing":
            self.topics[topic] = message
            return
        for one in message["passings"]:
            if one["read"] not in self.reads and one["heat"] is not None:
                self.reads.add(one["read"])
                self.passings[one["heat"], one["device"]] += 1

    def heat(self, heat: str, part: str) -> dict[str, Any]:
        """The newest message of a heat, empty where none came."""
        return self.topics.get(f"heats/{heat}/{part}", {})


def check_heat(heat: str, expect: Expect, seen: Seen) -> list[Check]:
    """Every expectation of a heat against what was published."""
    found: list[Check] = []

    def compare(name: str, wanted: object, got: object) -> None:
        found.append(Check(heat, name, "" if wanted == got else f"expected {wanted}, got {got}"))

    current, result, pace = seen.topics.get("current", {}), seen.heat(heat, "result"), seen.heat(heat, "pace")
    lines = {line["bib"]: line for line in result.get("results", ())}
    if expect.state:
        compare("state", expect.state, result.get("state"))
    if expect.order is not None:
        compare("order", list(expect.order), list(lines)[: len(expect.order)])
    for bib, gap_ms in (expect.gaps_ms or {}).items():
        got_ms = lines.get(bib, {}).get("gap_ms")
        within = got_ms is not None and abs(got_ms - gap_ms) <= (expect.gap_tolerance_ms or 0)
        compare(f"gap of {bib} in ms", gap_ms, gap_ms if within else got_ms)
    for bib, status in (expect.statuses or {}).items():
        compare(f"status of {bib}", status, lines.get(bib, {}).get("status"))
    report = pace.get("pace", {})
    if expect.pull_off is not None:
        compare("pull-off", expect.pull_off, report.get("pull_off"))
    if expect.pace_compliant is not None:
        compare("pace compliant", expect.pace_compliant, report.get("compliant"))
    for device, count in (expect.passings or {}).items():
        compare(f"passings of {device}", count, seen.passings[heat, device])
    notices = " | ".join(current.get("notices", ()))
    for words in expect.notices or ():
        found.append(Check(heat, f"notice {words!r}", "" if words in notices else f"not among: {notices}"))
    for words in expect.no_notices or ():
        found.append(Check(heat, f"no notice {words!r}", f"it is shown: {notices}" if words in notices else ""))
    if expect.most_inferred is not None:
        splits = seen.heat(heat, "splits").get("splits", ())
        inferred = sum(one["source"] in INFERRED for rider in splits for one in rider["crossings"])
        problem = "" if inferred <= expect.most_inferred else f"{inferred} are, at most {expect.most_inferred} may be"
        found.append(Check(heat, "inferred crossings", problem))
    for device, state in (expect.devices or {}).items():
        compare(f"state of {device}", state, seen.topics.get(f"devices/{device}", {}).get("device", {}).get("state"))
    return found


def write_junit(path: Path, script: str, checks: list[Check], facts: dict[str, str]) -> None:
    """Write the checks as JUnit XML: a test case each, the heat as its class. Raises BenchError."""
    failed = sum(1 for check in checks if check.problem)
    suite = ElementTree.Element(
        "testsuite", name=f"velodrome rig {script}", tests=str(len(checks)), failures=str(failed)
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in facts.items():
        ElementTree.SubElement(properties, "property", name=name, value=value)
    for check in checks:
        case = ElementTree.SubElement(suite, "testcase", classname=check.heat, name=check.name)
        if check.problem:
            ElementTree.SubElement(case, "failure", message=check.problem)
    ElementTree.indent(suite)
    try:
        ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        reason = f"the report cannot be written ({error.strerror})"
        raise BenchError(str(path), reason, "give a path in a folder that you may write") from error


class Bench:
    """Race control's people, and the observer of what it publishes. The rig must be running."""

    def __init__(self, setup: Setup, script: Script, rig: Rig, clock: HostClock) -> None:
        self.seen = Seen()
        self._setup = setup
        self._script = script
        self._rig = rig
        self._clock = clock
        self._base = f"velodrome/{setup.meet.id}"
        self._answers: dict[str, asyncio.Future[CommandReply]] = {}
        self._run = uuid.uuid4().hex[:8]
        self._commands = 0
        self._news = asyncio.Event()
        self._client: aiomqtt.Client

    async def run(self) -> list[Check]:
        """Ride every heat of the script that something is expected of, in the order of the meet's programme.

        Raises BenchError when race control or its broker is not there.
        """
        try:
            async with aiomqtt.Client(**client_options(self._setup.meet.broker)) as self._client:
                await self._client.subscribe(f"{self._base}/#", qos=1)
                listening = asyncio.create_task(self._listen())
                try:
                    return await self._ride_all()
                finally:
                    listening.cancel()
                    await asyncio.gather(listening, return_exceptions=True)
        except aiomqtt.MqttError as error:
            broker = self._setup.meet.broker
            where = f"broker {broker.host}:{broker.port}"
            raise BenchError(
                where, f"the bench has lost it ({error})", "start the meet's broker, then again"
            ) from error

    async def _listen(self) -> None:
        async for message in self._client.messages:
            topic = str(message.topic).removeprefix(f"{self._base}/")
            if not isinstance(message.payload, bytes) or topic == "commands" or topic.startswith("hardware/"):
                continue
            if topic.startswith("replies/"):
                reply = msgspec.json.decode(message.payload, type=CommandReply)
                answer = self._answers.get(reply.id)
                if answer is not None and not answer.done():
                    answer.set_result(reply)
            elif topic == "passing" or not topic.endswith("/passing"):
                self.seen.take(topic, msgspec.json.decode(message.payload, type=dict[str, Any]))
            self._news.set()

    async def _ride_all(self) -> list[Check]:
        checks = await self._boxes_live()
        if any(check.problem for check in checks):
            return checks
        await self._clock.sleep_us(CLOCKS_KNOWN_US)
        for heat in self._setup.meet.heats:
            expect = self._script.expected(heat.id) if heat.id in self._script.heats else None
            if expect is not None:
                checks += await self._ride(heat.id, expect)
        return checks

    async def _boxes_live(self) -> list[Check]:
        """Wait for every box; one that does not come is a failure with what race control says of it."""
        names = [device.id for device in self._setup.meet.devices]

        def state(name: str) -> str:
            view = self.seen.topics.get(f"devices/{name}", {}).get("device", {})
            return str(view.get("state", "unknown to race control: is `velodrome run` running for this meet?"))

        await self._until(lambda: all(state(name) in ("live", "silent") for name in names), BOXES_TIMEOUT_S)
        return [
            Check("devices", name, "" if state(name) in ("live", "silent") else f"is {state(name)}") for name in names
        ]

    async def _ride(self, heat: str, expect: Expect) -> list[Check]:
        for role, action in (("operator", OpenHeat(heat=heat)), ("starter", Arm())):
            refused = await self._order(role, action)
            if refused:
                advice = "start race control with a new journal" if isinstance(action, OpenHeat) else ""
                return [Check(heat, type(action).__name__, f"refused: {refused} {advice}".strip())]
        last_us = self._rig.lead_us + self._rig.plans[heat].steps[-1].at_us
        over_s = last_us / 1e6 / self._clock.anchor.speed + GRACE_S
        state = "pacer_run"

        def over() -> bool:
            nonlocal state
            state = str(self.seen.heat(heat, "result").get("state", state))
            return state in OVER and self._rig.playing is None

        await self._until(over, over_s)
        await self._clock.sleep_us(SETTLE_US)
        checks = check_heat(heat, expect, self.seen)
        if state not in OVER:
            checks.append(Check(heat, "is over", f"still {state} {GRACE_S:g} s after the last step of the script"))
        elif self.seen.heat(heat, "result").get("state") == "provisional":
            refused = await self._order("president", Confirm())
            checks.append(Check(heat, "confirmed", f"refused: {refused}" if refused else ""))
        return checks

    async def _order(self, role: str, action: AnyAction) -> str:
        """Send a command. Returns the reason of a refusal, empty where it was taken. Raises BenchError."""
        self._commands += 1
        request = CommandRequest(
            id=f"bench-{self._run}-{self._commands}", actor=f"bench {role}", role=role, action=action
        )
        answer: asyncio.Future[CommandReply] = asyncio.get_running_loop().create_future()
        self._answers[request.id] = answer
        await self._client.publish(f"{self._base}/commands", msgspec.json.encode(request), qos=1)
        try:
            reply = await asyncio.wait_for(answer, REPLY_TIMEOUT_S)
        except TimeoutError as error:
            reason = f"race control did not answer within {REPLY_TIMEOUT_S:g} s"
            advice = f"start it beside the bench: velodrome run {self._setup.meet.id}"
            raise BenchError(f"meet {self._setup.meet.id}", reason, advice) from error
        return "" if reply.accepted else reply.reason

    async def _until(self, true: Any, at_most_s: float) -> None:
        """Return when the condition holds, at the latest after so many real seconds."""
        try:
            async with asyncio.timeout(at_most_s):
                while not true():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return


async def check_script(
    setup: Setup, script: Script, rig: Rig, clock: HostClock, report: Path, seed: int
) -> list[Check]:
    """Run the rig and the bench, write the report. Raises BenchError, RigError."""
    if all(script.expected(heat) is None for heat in script.heats):
        reason = "it expects nothing"
        raise BenchError(
            f"script {script.name}", reason, "write [expect] or [heats.<id>.expect]: drivers/rig/README.md"
        )
    serving = asyncio.create_task(rig.run())
    checking = asyncio.create_task(Bench(setup, script, rig, clock).run())
    try:
        await asyncio.wait({serving, checking}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
        checks = await checking
    finally:
        for task in (serving, checking):
            task.cancel()
        await asyncio.gather(serving, checking, return_exceptions=True)
    faults = Counter(one.kind for plan in rig.plans.values() for one in plan.injected)
    facts = {"script": script.name, "seed": str(seed), "fault seed": str(script.faults.seed)}
    facts |= {f"fault {kind}": str(count) for kind, count in sorted(faults.items())}
    write_junit(report, script.name, checks, facts)
    return checks
