"""The pacer's speed against its target as a drawing, print-ready in black and white."""

from collections.abc import Callable
from xml.sax.saxutils import escape

from timing.control.communique.content import Picture
from timing.race.picture import PaceReport

WIDTH, HEIGHT = 640, 240
LEFT, RIGHT, TOP, BOTTOM = 34, 16, 12, 26
FONT = "Libertinus Serif, serif"


def pace_chart(pace: PaceReport) -> Picture:
    """Measured speed as steps, the target of each section as a dashed line; axes in metres and km/h."""
    sections = [one for one in pace.sections if one.to_m <= pace.paced_m + 300]
    speeds = [one.speed_kmh for one in sections] + [pace.target_entry_kmh, pace.target_exit_kmh]
    low = 5 * int((min(speeds) - 2) // 5)
    high = 5 * int((max(speeds) + 2) // 5 + 1)
    far_m = max([pace.paced_m, *(one.to_m for one in sections)])

    def x(metres: float) -> float:
        return round(LEFT + metres / far_m * (WIDTH - LEFT - RIGHT), 2)

    def y(kmh: float) -> float:
        return round(HEIGHT - BOTTOM - (kmh - low) / (high - low) * (HEIGHT - TOP - BOTTOM), 2)

    parts = [_axes(low, high, far_m, pace.paced_m, x, y)]
    measured = " ".join(f"{x(metres)},{y(one.speed_kmh)}" for one in sections for metres in (one.from_m, one.to_m))
    target = " ".join(f"{x((one.from_m + one.to_m) / 2)},{y(one.target_kmh)}" for one in sections)
    parts.append(f'<polyline points="{target}" fill="none" stroke="#000" stroke-dasharray="5 4" stroke-width="1.2"/>')
    parts.append(f'<polyline points="{measured}" fill="none" stroke="#000" stroke-width="2.2"/>')
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="{FONT}" font-size="13">'
        f"{''.join(parts)}</svg>"
    )
    words = f"Pacer's speed by distance: solid measured, dashed target. {pace.summary}"
    return Picture(svg=svg, words=words, title="Speed (km/h) by distance (m): solid line measured, dashed line target")


def _axes(
    low: int, high: int, far_m: float, exit_m: float, x: Callable[[float], float], y: Callable[[float], float]
) -> str:
    parts = []
    for kmh in range(low, high + 1, 5):
        parts.append(
            f'<line x1="{LEFT}" y1="{y(kmh)}" x2="{WIDTH - RIGHT}" y2="{y(kmh)}" stroke="#bbb" stroke-width="0.6"/>'
            f'<text x="{LEFT - 6}" y="{y(kmh) + 4}" text-anchor="end">{kmh}</text>'
        )
    for metres in range(0, int(far_m) + 1, 125):
        parts.append(
            f'<line x1="{x(metres)}" y1="{HEIGHT - BOTTOM}" x2="{x(metres)}" y2="{HEIGHT - BOTTOM + 4}" stroke="#000"/>'
            f'<text x="{x(metres)}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{metres}</text>'
        )
    bottom = HEIGHT - BOTTOM
    parts.append(
        f'<line x1="{LEFT}" y1="{bottom}" x2="{WIDTH - RIGHT}" y2="{bottom}" stroke="#000"/>'
        f'<line x1="{x(exit_m)}" y1="{TOP}" x2="{x(exit_m)}" y2="{bottom}" stroke="#000" stroke-dasharray="2 3"/>'
        f'<text x="{x(exit_m) - 5}" y="{bottom - 6}" text-anchor="end">{escape(f"exit line, {exit_m:g} m")}</text>'
    )
    return "".join(parts)
