"""Entry lists: what federations send, what the office needs to be told about it."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from config.entries import Entry
from config.entry_files import EntryFile, EntryFileError, entries_of, read_entries, split_name

ENGLISH = """Bib,Surname,Given name,NOC,UCI ranking,Transponder,UCI ID
1,Lavreysen,Harrie,NED,1,5000001,10007585588
2,Bötticher,Stefan,GER,7,5000002,
3,Šišković,Ana,CRO,,"5000003 5000103",
"""


def file(folder: Path, content: str | bytes, name: str = "entries.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def said(read: EntryFile) -> list[str]:
    return [str(problem) for problem in read.problems]


def test_a_federations_list_becomes_entries(tmp_path: Path) -> None:
    read = read_entries(file(tmp_path, ENGLISH))

    assert read.problems == ()
    assert read.entries[0] == Entry(
        bib="1",
        surname="Lavreysen",
        given="Harrie",
        nation="NED",
        ranking=1,
        transponders=("5000001",),
        uci_id="10007585588",
    )
    assert read.entries[2].ranking is None
    assert read.entries[2].transponders == ("5000003", "5000103")
    assert read.entries[2].name == "Ana Šišković"


def test_the_guess_of_the_columns_is_told_so_that_a_person_can_confirm_it(tmp_path: Path) -> None:
    read = read_entries(file(tmp_path, "Dossard;Nom;Prénom;Pays;Hôtel\n4;Vigier;Sébastien;FRA;Ibis\n"))

    assert read.columns == {"bib": "Dossard", "surname": "Nom", "given": "Prénom", "nation": "Pays"}
    assert read.unused == ("Hôtel",)
    assert read.entries[0].surname == "Vigier"


@pytest.mark.parametrize(
    "text",
    [
        "No.\tRider\tNOC\n5\tWAKIMOTO Yuta\tJPN\n",
        "ゼッケン,氏名,国\n5,WAKIMOTO Yuta,JPN\n",
        "Startnummer;Nachname;Vorname;Land\n5;Wakimoto;Yuta;JPN\n",
        'Men\'s keirin entries\n\nBib,Name,Nation\n5,"Wakimoto, Yuta",JPN\n',
    ],
)
def test_headings_in_several_languages_and_every_separator(tmp_path: Path, text: str) -> None:
    (entry,) = read_entries(file(tmp_path, text)).entries

    assert (entry.bib, entry.surname, entry.given, entry.nation) == ("5", "Wakimoto", "Yuta", "JPN")


def test_a_wrong_guess_is_overridden(tmp_path: Path) -> None:
    path = file(tmp_path, "Bib,Name,Rank,World Cup place,Nation\n7,Kenny Jason,1,9,GBR\n")

    (entry,) = read_entries(path, {"ranking": "World Cup place"}).entries

    assert entry.ranking == 9
    with pytest.raises(EntryFileError, match=r"no column 'Place': it has Bib, Name, Rank, World Cup place, Nation"):
        read_entries(path, {"ranking": "Place"})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_names_survive_the_encodings_that_offices_use(tmp_path: Path, encoding: str) -> None:
    (entry,) = read_entries(file(tmp_path, "bib;surname;given\n8;Büchli;Matthijs\n".encode(encoding))).entries

    assert entry.surname == "Büchli"


def test_a_workbook_reads_like_the_text(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in [["Entries"], ["Bib", "Surname", "Given", "Ranking", "Transponder"], [12, "脇本", "雄太", 3.0, 5000012]]:
        sheet.append(row)
    buffer = io.BytesIO()
    book.save(buffer)

    (entry,) = read_entries(file(tmp_path, buffer.getvalue(), "entries.xlsx")).entries

    assert entry == Entry(bib="12", surname="脇本", given="雄太", ranking=3, transponders=("5000012",))


def test_every_mistake_is_told_with_its_row_and_nothing_is_taken(tmp_path: Path) -> None:
    read = read_entries(
        file(
            tmp_path,
            "bib,surname,given,nation,ranking,transponder,uci id\n"
            "1,Kenny,Jason,GBR,1,5000001,10004679711\n"
            ",Carlin,Jack,GBR,2,5000002,\n"
            "1,Levy,Maximilian,ALE,3,5000001,\n"
            "4,Helal,Rayan,FRA,fourth,50 00/00$,123\n"
            "5,,,FRA,0,,\n",
        )
    )

    assert read.entries == ()
    assert said(read) == [
        "row 3, bib: is missing: every rider needs a number",
        "row 4, nation: 'ALE' is no nation: give the three-letter code (GBR, JPN …)",
        "row 4, bib: '1' stands in row 2 already",
        "row 4, transponders: '5000001' stands in row 2 already",
        "row 5, ranking: 'fourth' is no place: give a whole number",
        "row 5, uci_id: '123' is no UCI ID: it has 11 digits",
        "row 5, transponders: '00$' is no transponder: give 1 to 24 letters, digits or hyphens",
        "row 6, surname: is missing: give the rider's surname",
    ]


def test_what_only_looks_wrong_is_a_warning(tmp_path: Path) -> None:
    read = read_entries(
        file(tmp_path, "bib,surname,given,ranking,chip\n1,Kenny,Jason,4,51\n2,Kenny,Jason,4,52\n3,Levy,Max,,\n")
    )

    assert len(read.entries) == 3
    assert [str(one) for one in read.warnings] == [
        "row 3, name: Jason Kenny stands in row 2 too: the same rider?",
        "row 3, ranking: 4 is that of row 2 too: the lot decides between them",
        "row 4, transponders: is missing: no loop will know this rider",
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"Hello,World\n1,2\n", "no row of headings found"),
        (b"PK\x03\x04 this is no workbook", "no XLSX workbook"),
        (b'bib,surname\n1,"Kenny\n', "closing one"),
    ],
)
def test_a_file_that_is_no_entry_list_gets_one_clear_error(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(EntryFileError, match=words):
        read_entries(file(tmp_path, content))


def test_a_file_that_is_not_there_gets_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(EntryFileError, match="cannot be read: No such file"):
        read_entries(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("name", "surname", "given"),
    [
        ("LAVREYSEN Harrie", "Lavreysen", "Harrie"),
        ("Harrie LAVREYSEN", "Lavreysen", "Harrie"),
        ("Lavreysen, Harrie", "Lavreysen", "Harrie"),
        ("Harrie Lavreysen", "Lavreysen", "Harrie"),
        ("SHAH FIRDAUS Sahrom", "Shah Firdaus", "Sahrom"),
        ("PUERTA-ZAPATA Fabián", "Puerta-Zapata", "Fabián"),
        ("Pelé", "Pelé", ""),
    ],
)
def test_a_name_in_one_cell_is_taken_apart(name: str, surname: str, given: str) -> None:
    assert split_name(name) == (surname, given)


def test_a_name_that_is_said_the_other_way_round_is_kept(tmp_path: Path) -> None:
    text = "bib,name,surname,given\n22,Xu Chao,Xu,Chao\n4,Jason Kenny,Kenny,Jason\n"

    xu, kenny = read_entries(file(tmp_path, text)).entries

    assert (xu.name, xu.surname, xu.called) == ("Xu Chao", "Xu", "Xu Chao")
    assert (kenny.name, kenny.called) == ("Jason Kenny", "")


@given(st.lists(st.lists(st.text(max_size=12), max_size=8), max_size=8))
def test_no_table_crashes_and_nothing_is_half_taken(table: list[list[str]]) -> None:
    try:
        read = entries_of([["bib", "surname"], *table], "a table")
    except EntryFileError:
        return
    assert bool(read.entries) != bool(read.problems)
    assert len({entry.bib for entry in read.entries}) == len(read.entries)
