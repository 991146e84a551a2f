"""FinishLynx start lists: the files lynx.ppl, lynx.evt and lynx.sch, made from the meet (hardware-protocols §4).

    lynx.ppl    id, last name, first name, affiliation, licence                                     people
    lynx.evt    event, round, heat, name, wind, unit, template, captured, duration, distance
                , id, lane, last name, first name, affiliation             begins with a comma      one line a rider
    lynx.sch    event, round, heat                                                                  in order of the meet

Letters that CP1252 lacks are written as their plain letters (Šišković → Šiškovic).

A line that begins with `;` is a comment. A field with a comma or a quote stands in quotes. Text is CP1252, lines end
with CR LF. Numbers of event, round and heat are those of `config.lynx_keys`; the id is the bib, the lane the drawn
place. FinishLynx puts the same numbers into its results, so that a result finds its heat again.

The column after the start time is a title in some files and the wind mode in FinishLynx's own description
(help.finishlynx.com, "Database Files"): we leave it and everything after the distance out, and give the title as name.
"""

import csv
import io
import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from config.distances import heat_distance
from config.lynx_keys import lynx_keys
from config.models import Heat, Rider, Setup
from drivers.errors import DriverError

ENCODING: Final = "cp1252"
LINE_END: Final = "\r\n"
COMMENT: Final = ";"
MARK: Final = "; written by velodrome"
"""How each of our files begins: a file that begins otherwise is not ours and is never overwritten."""

PPL: Final = "lynx.ppl"
EVT: Final = "lynx.evt"
SCH: Final = "lynx.sch"
PLAIN_LETTERS: Final = {
    "Ł": "L",
    "ł": "l",
    "Đ": "D",
    "đ": "d",
    "Ħ": "H",
    "ħ": "h",
    "Ŧ": "T",
    "ŧ": "t",
    "ı": "i",
    "ĸ": "k",
}
"""Letters that Unicode does not take apart into a plain one and a mark."""
EVENT_COLUMNS_BEFORE_DISTANCE: Final = 5
"""Wind, unit, template, captured time, capture duration: FinishLynx's own, empty."""


class StartListError(DriverError):
    """A start list cannot be written: which text or file, why, and how to mend it."""


def in_cp1252(text: str) -> str:
    """The text with each letter that CP1252 lacks as its plain letter: Šišković → Šiškovic, Łoś → Los.

    A bib finds its rider again, so a result does not depend on it. What has no plain letter stays as it is.
    """
    return "".join(one if _fits(one) else _plain(one) for one in text)


def _fits(character: str) -> bool:
    try:
        character.encode(ENCODING)
    except UnicodeEncodeError:
        return False
    return True


def _plain(character: str) -> str:
    letters = "".join(one for one in unicodedata.normalize("NFKD", character) if not unicodedata.combining(one))
    letters = "".join(PLAIN_LETTERS.get(one, one) for one in letters)
    return letters if letters and all(_fits(one) for one in letters) else character


def _lines(setup: Setup, what: str, rows: Sequence[Sequence[str]]) -> bytes:
    """Comment and rows as CP1252. Raises StartListError naming all fields that FinishLynx could not read."""
    rows = [[in_cp1252(field) for field in row] for row in rows]
    problems = [
        f"{field!r} ({reason})" for row in rows for field in row if (reason := _problem(field, row[0])) is not None
    ]
    if problems:
        named = ", ".join(dict.fromkeys(problems))
        advice = "write these names with Western European letters (surname and given of the rider, name of the heat)"
        raise StartListError(f"{what} of meet {setup.meet.id}", f"FinishLynx cannot read {named}", advice)
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator=LINE_END).writerows(rows)
    head = f"{MARK} from the meet {setup.meet.id}: change the meet file and write it again, not this file{LINE_END}"
    return head.encode(ENCODING, "replace") + file.getvalue().encode(ENCODING)


def _problem(field: str, first: str) -> str | None:
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in field):
        return "control character"
    if field is first and field.startswith(COMMENT):
        return "begins like a comment"
    try:
        field.encode(ENCODING)
    except UnicodeEncodeError as error:
        return f"{field[error.start]} is not in CP1252"
    return None


def _names(rider: Rider) -> tuple[str, str]:
    """(last, first): what the meet gives apart, else the whole name as last name, as many clubs do."""
    return (rider.surname, rider.given) if rider.surname else (rider.name, "")


def title_of(heat: Heat) -> str:
    """What FinishLynx's operator sees: the heat's name, or event, round and number."""
    return heat.name or f"{heat.category} {heat.event}, {heat.round}, heat {heat.heat}"


def encode_ppl(setup: Setup) -> bytes:
    """lynx.ppl: all riders of the meet. Raises StartListError."""
    rows = [[rider.bib, *_names(rider), rider.nation or "", ""] for rider in setup.meet.riders]
    return _lines(setup, PPL, rows)


def encode_evt(setup: Setup) -> bytes:
    """lynx.evt: every heat with its riders in drawn order. Raises StartListError; ConfigError for unknown laps."""
    riders = {rider.bib: rider for rider in setup.meet.riders}
    keys = lynx_keys(setup.meet)
    rows: list[list[str]] = []
    for heat in setup.meet.heats:
        laps = heat_distance(setup, heat)
        distance_m = round((laps.paced_laps + laps.sprint_laps) * setup.venue.track_length_m)
        empty = [""] * EVENT_COLUMNS_BEFORE_DISTANCE
        rows.append([*(str(number) for number in keys[heat.id]), title_of(heat), *empty, str(distance_m)])
        for place in sorted(heat.start_list, key=lambda position: position.draw):
            rider = riders[place.bib]
            rows.append(["", rider.bib, str(place.draw), *_names(rider), rider.nation or ""])
    return _lines(setup, EVT, rows)


def encode_sch(setup: Setup) -> bytes:
    """lynx.sch: the heats in the order of the meet file. Raises StartListError."""
    keys = lynx_keys(setup.meet)
    return _lines(setup, SCH, [[str(number) for number in keys[heat.id]] for heat in setup.meet.heats])


# -- files ---------------------------------------------------------------------------------------------------


def write_start_lists(setup: Setup, folder: Path) -> tuple[Path, ...]:
    """Write the three files into FinishLynx's folder; return those that changed (none when all were right).

    A file that velodrome did not write is never overwritten: then nothing at all is written. Each file appears
    whole, by a rename in the folder. The schedule comes last, because it names what the other two explain.

    Raises StartListError: a foreign file, no such folder, no right to write, a text that cannot be written.
    """
    contents = {PPL: encode_ppl(setup), EVT: encode_evt(setup), SCH: encode_sch(setup)}
    if not folder.is_dir():
        advice = "connect the share, or write the folder that FinishLynx has under Options, Database"
        raise StartListError(str(folder), "there is no such folder", advice)
    changed = [(folder / name, content) for name, content in contents.items() if _is_to_write(folder / name, content)]
    for path, content in changed:
        _write_whole(path, content)
    return tuple(path for path, _ in changed)


def _is_to_write(path: Path, content: bytes) -> bool:
    try:
        present = path.read_bytes()
    except FileNotFoundError:
        return True
    except OSError as error:
        raise StartListError(
            str(path), f"it cannot be read ({error.strerror})", "close it in other programs"
        ) from error
    if not present.startswith(MARK.encode(ENCODING)):
        advice = "move it away or choose another folder: it may hold another program's start lists"
        raise StartListError(str(path), "it was not written by velodrome and is left as it is", advice)
    return present != content


def _write_whole(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        reason = f"it cannot be written ({error.strerror})"
        raise StartListError(str(path), reason, "check the share's rights and space, and close it elsewhere") from error
