"""What a venue, a rule book and a meet say, as frozen structs. Shapes only; `config.loader` checks and reads them.

Distances are metres along the measurement line, counted from the finish line in riding direction; speeds km/h.
"""

from datetime import date
from typing import Literal

import msgspec

from config.formats import FormatSet
from config.strict import EventKind, Strict

PaceShape = Literal["linear_distance", "constant_acceleration", "hold_ramp_hold"]
PassingRule = Literal["front_wheel", "rear_wheel"]
LineName = Literal["finish", "pursuit_home", "pursuit_back", "l200", "l100"]

# -- venue ---------------------------------------------------------------------------------------------------


class Loop(Strict, frozen=True, kw_only=True):
    """A wire loop (or tape, or cell) across the track at a known distance after the finish line."""

    id: str
    position_m: float
    name: str = ""


class Lines(Strict, frozen=True, kw_only=True):
    """Painted lines, metres after the finish line in riding direction (track-rules §4.1)."""

    pursuit_home_m: float
    pursuit_back_m: float
    l200_m: float
    l100_m: float
    finish_m: float = 0.0


class Venue(Strict, frozen=True, kw_only=True):
    """A track: its length, its lines and the loops that are in it."""

    id: str
    name: str
    track_length_m: float
    timezone: str
    lines: Lines
    loops: tuple[Loop, ...]
    city: str = ""
    nation: str = ""


# -- rule book -----------------------------------------------------------------------------------------------


class PaceCurve(Strict, frozen=True, kw_only=True):
    """The pacer's target speed over the paced distance.

    `linear_distance`: speed rises evenly with distance. `constant_acceleration`: evenly with time.
    `hold_ramp_hold`: the first third of the distance at `start_kmh`, over the second third a rise that is
    even in time, the last third at `end_kmh`.
    """

    start_kmh: float
    end_kmh: float
    shape: PaceShape


class KeirinDistance(Strict, frozen=True, kw_only=True):
    """Laps of a keirin on a track of one length. Half-lap steps are allowed (track-rules §1.1)."""

    track_length_m: float
    paced_laps: float
    sprint_laps: float


class PaceTolerance(Strict, frozen=True, kw_only=True):
    """Where a deviation of the pacer turns amber and red on the screens: our choice, not a rule."""

    amber_kmh: float = 2.0
    red_kmh: float = 4.0
    pull_off_m: float = 30.0


class KeirinRules(Strict, frozen=True, kw_only=True):
    """The keirin of one rule book. UCI 3.2.134-143."""

    distances: tuple[KeirinDistance, ...]
    pace: dict[str, str]
    """Name of the pace curve for a category (`men`, `women`, …); `default` for all others."""
    passing_rule: PassingRule
    start_line: LineName = "pursuit_home"
    exit_line: LineName = "pursuit_home"
    mishap_restart_laps: float = 0.5
    drawn_order_laps: float = 1.0
    max_riders: int = 7
    dnf_proceeds_to_repechage: bool = True
    tolerance: PaceTolerance = PaceTolerance()


class StatusCode(Strict, frozen=True, kw_only=True):
    """REL, DNF, DNS, DSQ …: what the code means for the place and for the next round (track-rules §3.14)."""

    code: str
    name: str
    keeps_place: bool
    proceeds: bool
    sort: int
    """Order of codes below the classified riders; smaller is listed first."""


class PenaltyReason(Strict, frozen=True, kw_only=True):
    """A reason that a commissaire can choose, with its rule article."""

    article: str
    text: str
    default_code: str


class RuleBook(Strict, frozen=True, kw_only=True):
    """A dated set of rules, chosen by name."""

    id: str
    name: str
    valid_from: date
    keirin: KeirinRules
    pace_curves: dict[str, PaceCurve]
    codes: tuple[StatusCode, ...]
    valid_until: date | None = None
    source: str = ""
    reasons: tuple[PenaltyReason, ...] = ()


# -- meet ----------------------------------------------------------------------------------------------------

ImpulseRole = Literal["gun", "bell", "photocell"]


class DeviceChannel(Strict, frozen=True, kw_only=True):
    """What a channel of a box is wired to: a loop of the venue, or a role (gun, bell, photocell at a loop)."""

    channel: str
    loop: str | None = None
    role: ImpulseRole | None = None


class Device(Strict, frozen=True, kw_only=True):
    """A box and where it is reached.

    `address` is one of `serial:/dev/ttyUSB0?baud=19200`, `tcp:host:port`, `mqtt:topic`, `folder:/path`.
    A box with one loop gives `loop`; one with several gives `channels`.
    """

    id: str
    protocol: str
    address: str
    loop: str | None = None
    channels: tuple[DeviceChannel, ...] = ()
    name: str = ""
    silent_after_s: float = 15.0
    clock: Literal["utc", "local_time", "time_of_day"] = "utc"
    transport_delay_us: int = 300
    """Shortest time from the box's stamp to our read, for boxes that cannot be asked for their clock."""
    resolution_us: int = 1_000
    options: dict[str, str] = msgspec.field(default_factory=dict)
    """Settings of the protocol (`config.device_options`), read by its session."""


class Rider(Strict, frozen=True, kw_only=True):
    """An entered rider. `name` is printed as `SURNAME Given` by the screens from `surname` and `given`."""

    bib: str
    name: str
    transponders: tuple[str, ...]
    surname: str = ""
    given: str = ""
    nation: str | None = None
    transponder_to_front_m: float | None = None


class Pacer(Strict, frozen=True, kw_only=True):
    """The pacer: person and vehicle. Offsets say where its wheels are, ahead (+) of or behind (-) its transponder."""

    id: str
    name: str
    transponders: tuple[str, ...]
    vehicle: str = "derny"
    front_wheel_front_m: float = 0.33
    rear_wheel_rear_m: float = -1.60


class StartPosition(Strict, frozen=True, kw_only=True):
    """A rider in a heat. `draw` is the place on the line by lot, 1 lowest; `origin` the slot (A3, rB1)."""

    bib: str
    draw: int
    origin: str = ""
    seed: int | None = None


class Onward(Strict, frozen=True, kw_only=True):
    """Where riders of a heat go on to: those at places `first` to `last`, or the rest who may go on (UCI 3.2.135)."""

    mark: str
    """As it is printed behind the name: `Q1/4`, `R`, `Q1/2`, `QG`, `Q7-12`."""
    first: int | None = None
    last: int | None = None
    rest: bool = False


class Heat(Strict, frozen=True, kw_only=True):
    """One race of a round. `first_place` is 7 for a final for places 7-12."""

    id: str
    event: EventKind
    category: str
    round: str
    heat: int
    start_list: tuple[StartPosition, ...]
    pacer: str
    name: str = ""
    first_place: int = 1
    paced_laps: float | None = None
    sprint_laps: float | None = None
    scheduled: str = ""
    """Planned local start, ISO 8601 without offset (`2021-08-08T11:51`); empty when not planned."""
    onward: tuple[Onward, ...] = ()
    """Who goes on, and to what; empty after a final."""


class RoundTime(Strict, frozen=True, kw_only=True):
    """When a round of a competition is planned: its first heat, and the time between two heats."""

    round: str
    starts: str
    """Local time, ISO 8601 without offset (`2021-08-07T15:48`)."""
    every_s: int = 390
    """4.5 min for a heat and 2 min to change over (track-rules §1.12)."""


class Competition(Strict, frozen=True, kw_only=True):
    """An event for one category, from the entry list to the classification. Its heats arise as it is composed."""

    id: str
    name: str
    category: str
    format: str
    """Id of a shipped format, or a path to one relative to the meet file."""
    pacer: str
    event: EventKind = "keirin"
    heat_prefix: str = ""
    """Stands before the heat ids of the format: needed where a meet has two competitions."""
    times: tuple[RoundTime, ...] = ()


class Session(Strict, frozen=True, kw_only=True):
    """A block of the programme. A heat belongs to the last session that starts no later."""

    id: str
    name: str
    starts: str
    """Local time, ISO 8601 without offset."""


class Broker(Strict, frozen=True, kw_only=True):
    """The MQTT broker that distributes to race control. `embedded` starts one inside the process."""

    host: str = "127.0.0.1"
    port: int = 1883
    embedded: bool = False
    username: str = ""
    password_file: str = ""
    tls_ca_file: str = ""


ConsoleRole = Literal["operator", "starter", "judge", "commissaire", "president", "announcer", "secretary"]
"""Who may sign in at the consoles; what each may order stands in `timing.race.permits`."""


class Account(Strict, frozen=True, kw_only=True):
    """A person at the consoles. `password_hash` is argon2id as `velodrome password` prints it.

    One person may have several accounts, one a role. The name signs every order.
    """

    name: str
    role: ConsoleRole
    password_hash: str


class Console(Strict, frozen=True, kw_only=True):
    """The console server of race control: where it listens and who may sign in.

    Only `timing.control.console` reads it. It holds secrets and is no part of the meet's record: the journaled setup
    has the default in its place.
    """

    host: str = "127.0.0.1"
    """`0.0.0.0` for every network of the machine."""
    port: int = 8080
    public: bool = True
    """Boards may be read without signing in."""
    tls_cert_file: str = ""
    tls_key_file: str = ""
    photo_finish_folder: str = ""
    """Where the camera's computer puts its images; empty for none."""
    documents_folder: str = ""
    """Where `velodrome communique print` writes the documents; empty for none."""
    broker: Broker | None = None
    """The broker as the consoles reach it (another user, another address); by default the meet's."""
    accounts: tuple[Account, ...] = ()


class Databridge(Strict, frozen=True, kw_only=True):
    """Whether the meet is published as metarace's data bridge too, and below which topic: `<prefix>/<meet>/…`."""

    enabled: bool = False
    prefix: str = "db"


class Meet(Strict, frozen=True, kw_only=True):
    """A competition: where, under which rules, with which boxes, riders and heats."""

    id: str
    name: str
    venue: str
    """Id of a shipped venue, or a path to a venue file relative to the meet file."""
    rules: str
    """Id of a shipped rule book, or a path to one relative to the meet file."""
    devices: tuple[Device, ...]
    riders: tuple[Rider, ...]
    pacers: tuple[Pacer, ...]
    heats: tuple[Heat, ...]
    broker: Broker = Broker()
    console: Console = Console()
    databridge: Databridge = Databridge()
    date: str = ""
    competitions: tuple[Competition, ...] = ()
    sessions: tuple[Session, ...] = ()
    transponder_to_front_m: float = 0.334
    """From a rider's transponder forward to the foremost point of the front wheel, where no rider's own is given."""


class Setup(Strict, frozen=True, kw_only=True):
    """A meet with its venue and rule book resolved: all that the program needs to know before the first byte."""

    meet: Meet
    venue: Venue
    rules: RuleBook
    formats: dict[str, FormatSet] = msgspec.field(default_factory=dict)
    """The format of each competition, by the competition's id."""
