"""The seeds of a competition: the ranking first, the lot for those whom it does not tell apart (UCI 3.2.021bis)."""

from collections.abc import Sequence

from config.entries import Entry


def seed_order(entries: Sequence[Entry], lot: Sequence[str]) -> tuple[str, ...]:
    """Bibs from seed 1 down: by place in the ranking, the unranked behind them.

    `lot` is every bib in the order in which it was drawn; it decides among riders of the same ranking and among the
    unranked. Raises ValueError when somebody was left out of the lot.
    """
    drawn = {bib: place for place, bib in enumerate(lot)}
    missing = [entry.bib for entry in entries if entry.bib not in drawn]
    if missing:
        raise ValueError(f"not in the lot: {', '.join(missing)}; draw again with all entries")
    ranked = sorted(entries, key=lambda one: (one.ranking is None, one.ranking or 0, drawn[one.bib]))
    return tuple(entry.bib for entry in ranked)


def needs_lot(entries: Sequence[Entry]) -> bool:
    """Whether the ranking alone does not order the entries."""
    rankings = [entry.ranking for entry in entries]
    unranked = rankings.count(None)
    ranked = [one for one in rankings if one is not None]
    return unranked > 1 or len(set(ranked)) < len(ranked)
