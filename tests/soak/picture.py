"""Draws the measurements of a soak test as SVG: memory, descriptors and p99 over
time.
"""

WIDTH, HEIGHT, LEFT, TOP, GAP = 900, 150, 70, 60, 50
COLORS = ("#2a6fb0", "#c2571a")


def nice(value):
    """Return a round number that is at least ``value``."""
    unit = 1.0
    while unit * 10 < value:
        unit *= 10
    while unit > value:
        unit /= 10
    return next(unit * n for n in (1, 2, 3, 4, 5, 6, 8, 10) if unit * n >= value)


def panel(top, title, curves, seconds):
    """Return one panel: its frame, and a line for each server."""
    highest = nice(max((y for curve in curves for _, y in curve), default=1) or 1)
    found = [f'<text x="{LEFT}" y="{top - 8}" class="title">{title}</text>']
    for n in range(3):
        y = top + HEIGHT - HEIGHT * n / 2
        found.append(
            f'<path d="M{LEFT} {y:.0f}H{LEFT + WIDTH}" class="grid"/>'
            f'<text x="{LEFT - 8}" y="{y + 4:.0f}" class="number">'
            f"{highest * n / 2:g}</text>"
        )
    for color, curve in zip(COLORS, curves, strict=True):
        places = [
            (LEFT + WIDTH * x / seconds, top + HEIGHT * (1 - y / highest))
            for x, y in curve
        ]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        found.append(f'<polyline points="{points}" stroke="{color}"/>')
    return found


def draw(servers, seconds, begin):
    """Return the picture."""
    width = max(5, int(seconds / 120))
    panels = [
        ("resident memory, MiB",
         [[(t, rss / 2**20) for t, rss, _ in s.samples] for s in servers]),
        ("open descriptors", [[(t, n) for t, _, n in s.samples] for s in servers]),
        (f"p99 of each {width} s, ms", [s.p99(seconds, begin, width) for s in servers]),
    ]  # fmt: skip
    height = TOP + len(panels) * (HEIGHT + GAP) + 10
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + 100} {height}"'
        ' font-family="sans-serif" font-size="13">',
        "<style>.grid{stroke:#ccc}.number{text-anchor:end;fill:#555}"
        ".title{font-weight:bold}polyline{fill:none;stroke-width:1.5}</style>",
        f'<rect width="{WIDTH + 100}" height="{height}" fill="white"/>',
        f'<text x="{LEFT}" y="20" class="title">Mixed load for {seconds:,.0f} s</text>',
    ]
    for n, (color, server) in enumerate(zip(COLORS, servers, strict=True)):
        x = LEFT + 220 + 280 * n
        lines.append(
            f'<rect x="{x}" y="10" width="12" height="12" fill="{color}"/>'
            f'<text x="{x + 18}" y="20">{server.name}</text>'
        )
    for n, (title, curves) in enumerate(panels):
        lines += panel(TOP + n * (HEIGHT + GAP), title, curves, seconds)
    y = TOP + len(panels) * (HEIGHT + GAP) - GAP + 18
    for n in range(5):
        x, at = LEFT + WIDTH * n / 4, seconds * n / 4
        text = f"{at / 60:g} min" if seconds >= 240 else f"{at:g} s"
        lines.append(f'<text x="{x:.0f}" y="{y}" text-anchor="middle">{text}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"
