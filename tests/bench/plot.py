"""The results as one picture, an SVG written by hand: CPU of a login as bars, wall time over distance as lines."""
from html import escape
from typing import Iterator

from results import CPU_S, ROUND_TRIPS_MS

WIDTH, LEFT, RIGHT, TOP, ROW = 900, 210, 70, 56, 40
COLOURS = {"permit": "#9aa0a6", "opentls": "#bdc1c6", "tlsclient": "#5f6368", "curlclient": "#a56eff",
           "oneshot": "#0f62fe", "cold": "#4589ff", "warm": "#0043ce", "inprocess": "#da1e28", "pamexec": "#b28600"}
STYLE = """text { font: 13px system-ui, sans-serif; fill: #202124 }
.title { font-weight: 600; font-size: 15px }
.small { font-size: 11px; fill: #5f6368 }
.end { text-anchor: end }
.middle { text-anchor: middle }
line { stroke: #dadce0 }
polyline { fill: none; stroke-width: 2 }"""


def text(x: float, y: float, words: str, kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50 ..."""
    step = 1.0
    for factor in [2, 2.5, 2] * 10:
        if step >= value:
            break
        step *= factor
    return step


def bars(r, top: float) -> Iterator[str]:
    """One row a kind of contender, in it a bar for each form of the CAs, with a whisker for the spread."""
    kinds = list(dict.fromkeys(c.kind for c in r.contenders))
    spreads = {c.id: r.of(c.id, CPU_S, 1000) for c in r.contenders}
    most = max(s.high for s in spreads.values())
    scale = (WIDTH - LEFT - RIGHT) / most
    yield text(20, top - 26, "CPU of a login, all processes, ms", "title")
    yield text(WIDTH - 20, top - 26, "dark: CA folder, light: CA bundle; whiskers: 90% of the logins", "small end")
    step = round_up(most / 8)
    for i in range(int(most / step) + 1):
        x = LEFT + i * step * scale
        yield line(x, top - 4, x, top + ROW * len(kinds))
        yield text(x, top - 8, f"{i * step:g}", "small middle")
    for c in r.contenders:
        y = top + ROW * kinds.index(c.kind) + (18 if c.trust == "bundle" else 2)
        s = spreads[c.id]
        if c.trust != "bundle":
            yield text(LEFT - 10, y + 20, c.name, "end")
        yield (f'<rect x="{LEFT}" y="{y:.1f}" width="{s.median * scale:.1f}" height="14" fill="{COLOURS[c.kind]}" '
               f'opacity="{0.5 if c.trust == "bundle" else 1}"/>')
        yield (f'<path d="M{LEFT + s.low * scale:.1f} {y + 7:.1f}H{LEFT + s.high * scale:.1f}" stroke="#202124"/>')
        yield text(LEFT + s.high * scale + 6, y + 11, f"{s.median:.1f}", "small")


def lines(r, top: float, height: float) -> Iterator[str]:
    shown = [c for c in r.contenders if c.id in r.far and c.kind != "permit"]
    most = max(max(r.far[c.id]) for c in shown)
    bottom, right = top + height, WIDTH - 330
    across, up = (right - 60) / max(ROUND_TRIPS_MS), height / most
    yield text(20, top - 26, "Wall time of a login, ms, over the round-trip time to IAM", "title")
    step = round_up(most / 6)
    for i in range(int(most / step) + 1):
        yield line(60, bottom - i * step * up, right, bottom - i * step * up)
        yield text(52, bottom - i * step * up + 4, f"{i * step:g}", "small end")
    for ms in ROUND_TRIPS_MS:
        yield text(60 + ms * across, bottom + 18, f"{ms} ms", "small middle")
    for c, y in zip(shown, spaced([bottom - r.far[c.id][-1] * up for c in shown])):
        points = " ".join(f"{60 + ms * across:.1f},{bottom - wall * up:.1f}"
                          for ms, wall in zip(ROUND_TRIPS_MS, r.far[c.id]))
        yield f'<polyline points="{points}" stroke="{COLOURS[c.kind]}"/>'
        yield (f'<path d="M{right:.1f} {bottom - r.far[c.id][-1] * up:.1f}L{right + 14:.1f} {y:.1f}" '
               f'stroke="{COLOURS[c.kind]}"/>')
        yield text(right + 20, y + 4, f"{c.name}: {r.round_trips(c.id):.1f} round trips")


def spaced(heights: list[float], gap: float = 18) -> list[float]:
    """The same, from top to bottom moved apart where labels would lie on each other."""
    found, last = dict.fromkeys(range(len(heights)), 0.0), -gap
    for i in sorted(found, key=lambda i: heights[i]):
        found[i] = last = max(heights[i], last + gap)
    return list(found.values())


def svg(r) -> str:
    rows = len(set(c.kind for c in r.contenders))
    second, height = TOP + ROW * rows + 70, 260
    total = second + height + 40
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {total}" role="img">',
                      "<title>What a login with pam_ibmiam costs, and what else does it</title>",
                      f"<style>\n{STYLE}\n</style>", f'<rect width="{WIDTH}" height="{total}" fill="#fff"/>',
                      *bars(r, TOP), *lines(r, second, height), "</svg>", ""])
