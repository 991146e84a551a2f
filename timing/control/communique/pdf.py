"""PDF by typst: the same content gives the same bytes."""

from importlib import resources
from pathlib import Path

import msgspec

from timing.control.communique.content import Communique, ResultsBook
from timing.control.communique.fonts import choose_fonts

TEMPLATE = "communique.typ"


class DocumentError(Exception):
    """A document cannot be made; the message says which and why."""


class Printed(msgspec.Struct, frozen=True):
    """Pages and what a person should know about them."""

    data: bytes
    warning: str


def render_pdf(document: Communique | ResultsBook) -> Printed:
    """A4, black on white. The date in the file is the time of issue. Raises DocumentError."""
    data, warning = _compile(document, "pdf", None)
    assert isinstance(data, bytes)
    return Printed(data, warning)


def render_pages(document: Communique | ResultsBook, dots_per_inch: float = 100) -> list[bytes]:
    """Each page as a PNG picture, for looking at. Raises DocumentError."""
    data, _ = _compile(document, "png", dots_per_inch)
    return data if isinstance(data, list) else [data]


def _compile(
    document: Communique | ResultsBook, kind: str, dots_per_inch: float | None
) -> tuple[bytes | list[bytes], str]:
    import typst

    text = msgspec.json.encode(_for_template(document)).decode()
    fonts = choose_fonts(text)
    with resources.as_file(resources.files(__package__) / "templates") as folder:
        compiler = typst.Compiler(
            root=str(folder),
            input=str(Path(folder) / TEMPLATE),
            font_paths=typst.Fonts(
                include_system_fonts=False,
                include_embedded_fonts=True,
                font_paths=[str(path.parent) for path in fonts.files],
            ),
            sys_inputs={"data": text, "fonts": msgspec.json.encode(fonts.families).decode()},
        )
        try:
            pages = compiler.compile(
                format="pdf" if kind == "pdf" else "png",
                ppi=dots_per_inch,
                timestamp=document.issued_us // 1_000_000,
            )
        except typst.TypstError as error:
            name = getattr(document, "title", document.event)
            raise DocumentError(f"{name}: the page cannot be set: {error.message}") from error
    if pages is None:
        raise DocumentError("typst made no page")
    return pages, fonts.warning


def _for_template(document: Communique | ResultsBook) -> object:
    """Columns as lists: the template reads them by position."""
    raw = msgspec.to_builtins(document)
    communiques = (
        [raw]
        if isinstance(document, Communique)
        else [one for chapter in raw["chapters"] for one in chapter["documents"]]
    )
    blocks = [block for one in communiques for block in one["blocks"]]
    blocks += [raw["seals"]] if isinstance(document, ResultsBook) else []
    for block in blocks:
        if block.get("type", "table") == "table":
            block["columns"] = [[one["title"], one["align"], one["width"]] for one in block["columns"]]
    return raw
