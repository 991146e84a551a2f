"""What a communiqué says, whatever it is printed on: PDF, HTML, CSV, XLSX and JSON are made of these structs alone.

All text is ready to be shown; a time is a string with its three decimals, so that no renderer computes anything.
"""

import hashlib
from typing import Literal

import msgspec

SCHEMA = "velodrome/communique/1"

Kind = Literal["start_list", "result", "round", "classification", "decisions"]
Align = Literal["left", "right", "centre"]


class Column(msgspec.Struct, frozen=True):
    """A column of a table. `width` is its share of what the fixed columns leave; 0 is as wide as its text."""

    title: str
    align: Align = "left"
    width: float = 0.0


class Table(msgspec.Struct, frozen=True, tag="table", kw_only=True):
    """Rows of cells. `strong` lists the rows (from 0) that stand out, `rules` those with a line above them."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    strong: tuple[int, ...] = ()
    rules: tuple[int, ...] = ()
    small: bool = False


def without_empty(table: Table, always: frozenset[str] = frozenset()) -> Table:
    """The table without the columns in which no row says anything."""
    kept = [
        index
        for index, column in enumerate(table.columns)
        if column.title in always or any(row[index] for row in table.rows)
    ]
    return msgspec.structs.replace(
        table,
        columns=tuple(table.columns[index] for index in kept),
        rows=tuple(tuple(row[index] for index in kept) for row in table.rows),
    )


class Text(msgspec.Struct, frozen=True, tag="text", kw_only=True):
    """Sentences; `title` heads them."""

    lines: tuple[str, ...]
    title: str = ""


class Facts(msgspec.Struct, frozen=True, tag="facts", kw_only=True):
    """Names and values, side by side."""

    pairs: tuple[tuple[str, str], ...]
    title: str = ""


class Picture(msgspec.Struct, frozen=True, tag="picture", kw_only=True):
    """A drawing as SVG, black on white, with the words that tell a blind reader what it shows."""

    svg: str
    words: str
    title: str = ""


class PageBreak(msgspec.Struct, frozen=True, tag="page_break"):
    """What follows begins on a new page: an appendix."""


Block = Table | Text | Facts | Picture | PageBreak


class Proof(msgspec.Struct, frozen=True):
    """Where the content stands in the journal: `velodrome verify` folds it up to `row` and finds the same."""

    row: int
    chain: str
    """Hash of that row, hexadecimal: it seals everything before it."""
    content: str = ""
    """SHA-256 of the content without this field."""


class Communique(msgspec.Struct, frozen=True, kw_only=True):
    """One numbered document. A correction is a new number that names what it corrects."""

    schema: str = SCHEMA
    number: int
    kind: Kind
    subject: str
    """The heat, the round or the competition that it is about."""
    meet: str
    venue: str
    event: str
    title: str
    subtitle: str = ""
    status: str = ""
    """`Provisional` or `Official`, where it has one."""
    issued: str
    """The venue's local time, with its zone."""
    issued_us: int
    issued_by: str
    corrects: int | None = None
    correction: str = ""
    blocks: tuple[Block, ...]
    signatures: tuple[str, ...] = ("President of the commissaires' panel", "Secretary")
    proof: Proof


class Chapter(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the results book: a session or a round, with its documents."""

    title: str
    documents: tuple[Communique, ...]


class ResultsBook(msgspec.Struct, frozen=True, kw_only=True):
    """The whole competition in one document, with contents and what seals each official result."""

    schema: str = "velodrome/results-book/1"
    meet: str
    venue: str
    event: str
    dates: str
    issued: str
    issued_us: int
    facts: tuple[tuple[str, str], ...]
    chapters: tuple[Chapter, ...]
    seals: Table
    """Each official result with the row and the hash of the journal at that moment."""
    proof: Proof


def sealed(document: Communique) -> Communique:
    """The document with the hash of its own content in its proof."""
    bare = msgspec.structs.replace(document, proof=msgspec.structs.replace(document.proof, content=""))
    # As it reads back: a width of 3 is 3.0 there, and the seal must hold for both.
    bare = msgspec.json.decode(msgspec.json.encode(bare), type=Communique)
    digest = content_hash(bare)
    return msgspec.structs.replace(bare, proof=msgspec.structs.replace(bare.proof, content=digest))


def content_hash(document: Communique) -> str:
    """SHA-256 over the canonical JSON of a document whose proof has no content hash yet."""
    return hashlib.sha256(msgspec.json.encode(document, order="deterministic")).hexdigest()


def is_sealed(document: Communique) -> bool:
    """Whether the content is still what its own hash says."""
    return sealed(document).proof.content == document.proof.content
