"""Lines of points as an SVG picture: rates against memory, the rates on a logarithmic scale.

A factor of two is the same height everywhere, which is what comparing speeds is about.
"""

import math
from html import escape

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 64, 176, 48, 56
# Told apart by people who see few colours too (Okabe and Ito 2008).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
LABEL_HEIGHT = 16


def ticks(least: float, most: float) -> list:
    """1, 2 and 5 times powers of ten that span the values."""
    found = []
    for exponent in range(math.floor(math.log10(least)) - 1, math.ceil(math.log10(most)) + 2):
        found += [digit * 10.0**exponent for digit in (1, 2, 5)]
    first = max(index for index, tick in enumerate(found) if tick <= least * 1.0001)
    last = min(index for index, tick in enumerate(found) if tick >= most * 0.9999)
    return found[first : max(last, first + 1) + 1]


def apart(wanted: list) -> list:
    """Heights of labels near those wanted, no two closer than a line of text."""
    heights = list(wanted)
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    for before, after in zip(order, order[1:]):
        heights[after] = max(heights[after], heights[before] + LABEL_HEIGHT)
    # What was pushed below the picture's end goes up again.
    end = HEIGHT - BOTTOM
    for index in reversed(order):
        heights[index] = min(heights[index], end)
        end = heights[index] - LABEL_HEIGHT
    return heights


def plot(lines: dict, title: str, x_name: str, bound: str = "") -> str:
    """`{name: [(x, y), ...]}` as SVG: the first line drawn thicker, that called `bound` dashed."""
    xs = sorted({x for points in lines.values() for x, _ in points})
    values = [y for points in lines.values() for _, y in points]
    levels = ticks(min(values), max(values))
    span = (xs[-1] - xs[0]) or 1
    low, high = math.log(levels[0]), math.log(levels[-1])
    across = lambda x: LEFT + (x - xs[0]) / span * (WIDTH - LEFT - RIGHT)  # noqa: E731
    up = lambda y: HEIGHT - BOTTOM - (math.log(y) - low) / (high - low) * (  # noqa: E731
        HEIGHT - TOP - BOTTOM
    )
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="13" fill="#222222">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="26" font-size="15">{escape(title)}</text>',
    ]
    for level in levels:
        y = up(level)
        out.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#dddddd"/>')
        out.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{level:g}</text>')
    bottom = HEIGHT - BOTTOM
    for x in xs:
        out.append(f'<path d="M{across(x):.1f} {bottom}v5" stroke="#222222"/>')
        out.append(f'<text x="{across(x):.1f}" y="{bottom + 20}" text-anchor="middle">{x:g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    out.append(f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle">{escape(x_name)}</text>')
    labels = apart([up(sorted(points)[-1][1]) for points in lines.values()])
    for index, ((name, points), label) in enumerate(zip(lines.items(), labels)):
        points = sorted(points)
        colour, width = COLOURS[index % len(COLOURS)], 3 if index == 0 else 1.8
        dashes = ' stroke-dasharray="6 4"' if name == bound else ""
        path = "L".join(f"{across(x):.1f} {up(y):.1f}" for x, y in points)
        out.append(f'<path d="M{path}" fill="none" stroke="{colour}" '
                   f'stroke-width="{width}"{dashes}/>')  # fmt: skip
        for x, y in points:
            out.append(f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="3.5" fill="{colour}"/>')
        place = f'x="{across(points[-1][0]) + 10:.1f}" y="{label + 4:.1f}"'
        out.append(f'<text {place} fill="{colour}">{escape(name)}</text>')
    return "\n".join([*out, "</svg>", ""])
