"""The same content as one HTML page, for the web and for printing from a browser."""

from html import escape

from timing.control.communique.content import Block, Communique, Facts, PageBreak, Picture, Table, Text

STYLE = """
:root { color-scheme: light; }
body { font: 11pt/1.35 "Libertinus Serif", "Times New Roman", serif; color: #000; background: #fff; max-width: 50rem;
  margin: 2rem auto; padding: 0 1rem; font-variant-numeric: tabular-nums lining-nums; }
header { border-bottom: 2px solid; display: flex; justify-content: space-between; }
.number { font-size: 1.8em; font-weight: bold; text-align: right; }
h1 { margin: 0.2em 0 0; font-size: 1.7em; } h2 { font-size: 1.1em; margin: 1.4em 0 0.3em; }
table { border-collapse: collapse; width: 100%; margin: 0.8em 0; }
th { border-bottom: 1.5px solid; font-size: 0.9em; } td { border-bottom: 0.5px solid #999; }
th, td { padding: 0.25em 0.5em; text-align: left; vertical-align: top; }
.right { text-align: right; } .centre { text-align: center; } .strong { font-weight: bold; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.2em 1em; } dt { color: #444; } dd { margin: 0; }
.correction { border: 1.5px solid; padding: 0.5em; } footer { color: #444; font-size: 0.75em; margin-top: 2em; }
@media print { .appendix { break-before: page; } body { margin: 0; } }
"""


def render_html(document: Communique) -> str:
    """A page that needs nothing from anywhere else."""
    title = f"{document.event}: {document.title}"
    correction = ""
    if document.corrects is not None:
        reason = f" Reason: {escape(document.correction)}." if document.correction else ""
        correction = (
            f'<p class="correction"><strong>Correction of communiqué {document.corrects}, which is void.</strong>'
            f"{reason}</p>"
        )
    status = f" · {escape(document.status)}" if document.status else ""
    proof = document.proof
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f"<header><div><strong>{escape(document.meet)}</strong><br>{escape(document.venue)}</div>"
        f'<div>Communiqué<div class="number">{document.number}</div></div></header>'
        f"<p>{escape(document.event)}</p><h1>{escape(document.title)}</h1><p>{escape(document.subtitle)}{status}<br>"
        f"Issued {escape(document.issued)} by {escape(document.issued_by)}</p>{correction}"
        f"<main>{''.join(_block(block) for block in document.blocks)}</main>"
        f"<footer>Journal row {proof.row}, chain {escape(proof.chain[:16])}, content {escape(proof.content[:16])}"
        f"</footer></body></html>\n"
    )


def _block(block: Block) -> str:
    if isinstance(block, PageBreak):
        return '<div class="appendix"></div>'
    heading = f"<h2>{escape(block.title)}</h2>" if block.title else ""
    if isinstance(block, Table):
        return heading + _table(block)
    if isinstance(block, Facts):
        pairs = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in block.pairs)
        return f"{heading}<dl>{pairs}</dl>"
    if isinstance(block, Picture):
        return f'{heading}<div role="img" aria-label="{escape(block.words)}">{block.svg}</div>'
    assert isinstance(block, Text)
    return heading + "".join(f"<p>{escape(line)}</p>" for line in block.lines)


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col" class="{column.align}">{escape(column.title)}</th>' for column in table.columns)
    rows = []
    for index, row in enumerate(table.rows):
        cells = "".join(
            f'<td class="{column.align}">{escape(cell)}</td>' for column, cell in zip(table.columns, row, strict=True)
        )
        rows.append(f'<tr class="strong">{cells}</tr>' if index in table.strong else f"<tr>{cells}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
