#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""draw.py TRACE.json >PICTURE.svg: a picture of a trace, as Perfetto shows it.

One band for each lock; in it each acquire is in the first row that is free, its wait in
a light and its hold in a dark colour, with mode and owner.
"""

import html
import json
import sys

WIDTH, LEFT, ROW, GAP = 1100, 110, 20, 14
COLOURS = {"waits": "#f2c14e", "write": "#c8553d", "read": "#588b8b"}


def read(path):
    """Yields (lock, begin, end, [(name, begin, end)]) for each acquire."""
    with open(path, encoding="utf-8") as file:
        text = file.read().rstrip()
    # One that was killed has not ended the file.
    events = json.loads(text if text.endswith("]") else text + "]")
    open_bars = {}
    for event in events:
        if event.get("cat") != "lock":
            continue
        stack = open_bars.setdefault(event["id"], [])
        if event["ph"] == "b":
            stack.append((event["name"], event["ts"], []))
        elif event["ph"] == "e":
            name, begin, parts = stack.pop()
            if stack:
                stack[-1][2].append((name, begin, event["ts"]))
            else:
                yield name, begin, event["ts"], parts


def rows_of(acquires):
    """Puts each into the first row that is free when it begins."""
    ends = []
    for acquire in sorted(acquires, key=lambda one: one[1]):
        row = next((i for i, end in enumerate(ends) if end <= acquire[1]),
                   len(ends))
        ends[row:row + 1] = [acquire[2]]
        yield row, acquire


def colour_of(name):
    return next((colour for word, colour in COLOURS.items()
                 if name.startswith(word)), "#777")


def main():
    acquires = list(read(sys.argv[1]))
    first = min(one[1] for one in acquires)
    last = max(one[2] for one in acquires)
    scale = (WIDTH - LEFT - 10) / (last - first)
    body, y = [], 30
    for lock in sorted({one[0] for one in acquires}):
        rows = list(rows_of(one for one in acquires if one[0] == lock))
        height = (max(row for row, _ in rows) + 1) * ROW
        body.append(f'<text x="4" y="{y + 14}" font-weight="bold">'
                    f'{html.escape(lock)}</text>')
        body.append(f'<rect x="{LEFT}" y="{y}" width="{WIDTH - LEFT - 10}" '
                    f'height="{height}" fill="#f4f4f4"/>')
        for row, (_, _, _, parts) in rows:
            for name, begin, end in parts:
                x = LEFT + (begin - first) * scale
                width = max((end - begin) * scale, 0.7)
                at = y + row * ROW
                body.append(
                    f'<rect x="{x:.1f}" y="{at + 1}" width="{width:.1f}" '
                    f'height="{ROW - 2}" fill="{colour_of(name)}">'
                    f'<title>{html.escape(name)}: {end - begin:.0f} us'
                    '</title></rect>')
                if width > 7 * len(name):
                    dark = name.startswith("waits")
                    body.append(
                        f'<text x="{x + 4:.1f}" y="{at + 14}" fill="'
                        f'{"#333" if dark else "#fff"}">'
                        f'{html.escape(name)}</text>')
        y += height + GAP
    step = 1000
    while (last - first) / step > 10:
        step *= 2 if str(step)[0] != "2" else 2.5
    marks = [f'<text x="{LEFT + time * scale:.0f}" y="18" fill="#555">'
             f'{time / 1000:.0f} ms</text>'
             for time in range(0, int(last - first), int(step))]
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
          f'height="{y}" font-family="sans-serif" font-size="12">')
    print('<rect width="100%" height="100%" fill="#fff"/>')
    print("\n".join(marks + body))
    print("</svg>")


main()
