"""The whole men's keirin of Tokyo 2020, from 30 entries to the results book: every figure as published."""

import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pypdf import PdfReader

from tests.end_to_end.demo_support import journal_of, scripted_heats, velodrome

SPEED = "60"
MEDALS_AND_PLACES = ["4", "13", "23", "30", "21", "2", "25", "7", "3", "1", "27"]
SHARED_RANKS = [13] * 3 + [16] * 3 + [19] * 4 + [23] * 4 + [27] * 4


class Ridden(NamedTuple):
    """The competition after its last communiqué."""

    state: Path
    journal: Path
    results: dict[str, Any]


@pytest.fixture(scope="module")
def ridden(tmp_path_factory: pytest.TempPathFactory) -> Ridden:
    state = tmp_path_factory.getbasetemp() / "velodrome-state"
    state.mkdir(exist_ok=True)
    base = tmp_path_factory.mktemp("tokyo")
    options = ("--competition", "--headless", "--json", "--speed", SPEED, "--folder", str(base))
    done = velodrome(state, "demo", *options, timeout_s=300.0)
    assert done.returncode == 0, done.stderr
    return Ridden(state, journal_of(base), json.loads(done.stdout))


def test_every_heat_that_the_format_and_the_panel_composed_ends_as_published(ridden: Ridden) -> None:
    found = {
        heat["id"]: [(row["place"], row["name"], row["gap_ms"]) for row in heat["results"] if row["status"] != "DNS"]
        for heat in ridden.results["heats"]
    }

    assert found == scripted_heats()


def test_medals_places_and_shared_ranks(ridden: Ridden) -> None:
    lines = ridden.results["classification"]

    assert [line["bib"] for line in lines[:11]] == MEDALS_AND_PLACES
    assert [line["rank"] for line in lines[:11]] == list(range(1, 12))
    assert (lines[11]["name"], lines[11]["rank"], lines[11]["status"]) == ("Nicholas Paul", None, "DNS")
    assert [line["rank"] for line in lines[12:]] == SHARED_RANKS
    assert len({line["bib"] for line in lines}) == 30
    assert all(line["final"] for line in lines)


def test_the_swaps_of_the_panel_stand_in_the_record_with_their_reasons(ridden: Ridden, tmp_path: Path) -> None:
    done = velodrome(ridden.state, "communique", "print", str(ridden.journal), "14", "--folder", str(tmp_path))
    assert done.returncode == 0, done.stderr

    text = words(next(tmp_path.glob("014-start-list-qf.pdf")).read_bytes())

    for reason in ("two riders of Germany parted", "two riders of Malaysia parted", "Trinidad and Tobago parted"):
        assert reason in text


def test_communiques_are_numbered_without_a_gap_and_verify_to_the_byte(ridden: Ridden, tmp_path: Path) -> None:
    done = velodrome(ridden.state, "communique", "print", str(ridden.journal), "--folder", str(tmp_path))
    assert done.returncode == 0, done.stderr

    files = sorted(tmp_path.glob("*.pdf"))
    assert [int(file.name[:3]) for file in files] == list(range(1, 29))
    good = velodrome(ridden.state, "verify", str(ridden.journal), str(files[16]))
    assert (good.returncode, "as the journal has it" in good.stdout) == (0, True)
    files[16].write_bytes(files[16].read_bytes().replace(b"%PDF-1.7", b"%PDF-1.6"))
    bad = velodrome(ridden.state, "verify", str(ridden.journal), str(files[16]))
    assert (bad.returncode, "NOT what the journal says" in bad.stdout) == (1, True)


def test_the_results_book_holds_every_document_with_contents_and_seals(ridden: Ridden, tmp_path: Path) -> None:
    out = tmp_path / "book.pdf"
    done = velodrome(ridden.state, "communique", "book", str(ridden.journal), str(out))
    assert done.returncode == 0, done.stderr

    pages = [page.extract_text() for page in PdfReader(io.BytesIO(out.read_bytes())).pages]

    assert "Contents" in pages[1]
    for title in ("First round", "Repechages", "Quarterfinals", "Semifinals", "Final A", "Final classification"):
        assert title in pages[1]
    whole = "\n".join(pages)
    for name in ("BÖTTICHER Stefan", "BÜCHLI Matthijs", "BÁBEK Tomáš", "VIGIER Sébastien"):
        assert name in whole
    assert whole.count("OFFICIAL") >= 16
    assert "Seals" in pages[-1]


def test_the_journal_replays_to_what_was_shown_live(ridden: Ridden) -> None:
    done = velodrome(ridden.state, "verify", str(ridden.journal))

    assert done.returncode == 0, done.stdout
    assert "at 16 official results" in done.stdout


def test_finishlynx_gets_the_heats_that_arose(ridden: Ridden, tmp_path: Path) -> None:
    done = velodrome(ridden.state, "startlists", str(ridden.journal), str(tmp_path))

    assert done.returncode == 0, done.stderr
    events = (tmp_path / "lynx.evt").read_text("cp1252")
    assert events.count("men keirin") == 16
    assert "B\u00f6tticher" in events


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("communique", "print", "{journal}", "99"), "communiqué 99 was not issued"),
        (("communique", "print", "{journal}", "--format", "doc"), "--format doc: use pdf, html"),
        (("communique", "book", "{journal}", "--competition", "women"), "give --competition:"),
        (("verify", "{journal}", "none.pdf"), "none.pdf: cannot be read"),
        (("entries", "tokyo2020-men-keirin-rounds", "none.csv"), "none.csv: cannot be read"),
        (("entries", "club-night", "{entries}", "--take", "--actor", "x"), "it has no [[competitions]]"),
        (("draw", "tokyo2020-men-keirin-rounds"), "an order is signed: give --actor NAME"),
        (("compose", "tokyo2020-men-keirin-rounds", "r1", "--actor", "x"), "127.0.0.1:1883 cannot be reached"),
        (("demo", "--competition", "--all"), "leave --heat and --all out"),
    ],
)
def test_a_mistake_at_the_command_line_is_told_in_one_line(
    ridden: Ridden, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    entries = tmp_path / "list.csv"
    entries.write_text("bib,surname\n1,Kenny\n")
    filled = [one.format(journal=ridden.journal, entries=entries) for one in arguments]

    done = velodrome(ridden.state, *filled)

    assert done.returncode != 0
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def words(data: bytes) -> str:
    """The text of a PDF on one line."""
    return " ".join(" ".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(data)).pages)
