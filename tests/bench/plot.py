# SPDX-License-Identifier: MIT
"""The picture: medians as bars, with lines from minimum to maximum.  Called by itself
it draws what docs/performance.md has: plot.py performance.md performance.svg."""
import math
import shutil
import subprocess
import sys

import report
import works

OURS, PEER = "#2166ac", "#b8b8b8"


def groups(scale):
    """What the picture shows of the works, and under which heading."""
    shown = [
        [("read-fast/1", "read,\\nuncontended"),
         ("write-fast/1", "write,\\nuncontended"),
         ("chain/1", "Deferred"), ("waiters/1000", "1,000\\nwaiters"),
         ("waiters/%d" % scale, works.count(scale) + "\\nwaiters"),
         ("grant/1000", "a grant\\nby the loop")],
        [("kvd-get-P1/100000", "GET"),
         ("kvd-get-P16/400000", "GET\\npipelines of 16"),
         ("kvd-set-P1/50000", "SET"),
         ("kvd-set-P16/200000", "SET\\npipelines of 16"),
         ("kvd-sync-P1/10000", "SET\\non the disk"),
         ("kvd-sync-P16/100000", "SET on the disk\\npipelines of 16")],
    ]
    known = {work.key for work in works.all_works(scale)}
    for key, _ in sum(shown, []):
        if key not in known:
            raise SystemExit("bench: the picture wants %s, which is no work" % key)
    return shown


def short(x):
    return "%.0fk" % (x / 1000) if x >= 10000 else report.number(x)


def contenders(figures, key):
    """Ours first, the others by their figure."""
    names = [n for k, n in figures if k == key]
    return sorted(names, key=lambda n: (
        works.SERVERS.index(n) if n in works.SERVERS else -1,
        n != works.OURS, report.summary(figures[key, n])[0]))


def bars(figures, group):
    """Rows of a data block, tics and headings."""
    x, rows, tics, heads = 0, [], [], []
    for key, title in group:
        names = contenders(figures, key)
        if not names:
            continue
        heads.append((x + (len(names) - 1) / 2, title))
        for name in names:
            middle, low, high = report.summary(figures[key, name])
            mine = name in (works.OURS, works.KVD)
            rows.append("%d %g %g %g %s \"%s\"" % (
                x, middle, low, high, "0x" + (OURS if mine else PEER)[1:],
                short(middle)))
            tics.append('"%s" %d' % (name.replace("_", "\\\\_"), x))
            x += 1
        x += 1
    return rows, tics, heads, x


def panel(figures, group, title, top):
    rows, tics, heads, width = bars(figures, group)
    if not rows:
        return None
    most = max(float(r.split()[3]) for r in rows)
    least = min(float(r.split()[2]) for r in rows)
    # A decade of room below, so that the lowest bar is one, and for headings.
    low = 10 ** math.floor(math.log10(least) - 0.5)
    high = 10 ** math.ceil(math.log10(most) + 0.9)
    labels = "\n".join('set label "%s" at first %g, graph 0.97 center'
                       % (text, x) for x, text in heads)
    return """
$data%(top)d << EOD
%(rows)s
EOD
unset label
%(labels)s
set title "%(title)s" offset 0,-0.3
set xrange [-1:%(end)d]
set yrange [%(low)g:%(high)g]
set xtics (%(tics)s) rotate by -40 nomirror scale 0 \\
  textcolor rgb "black"
plot $data%(top)d using 1:2:(0.8):5 with boxes lc rgb variable, \\
  '' using 1:3:(0):($4-$3) with vectors nohead lw 2 lc rgb "#404040", \\
  '' using 1:($4*1.25):6 with labels font ",9"
""" % {"top": top, "rows": "\n".join(rows), "labels": labels, "title": title,
       "end": width - 1, "low": low, "high": high, "tics": ", ".join(tics)}


def draw(figures, scale, path):
    """Whether there was anything to draw, and to draw it with."""
    titles = ["nanoseconds for one operation: lower is better",
              "requests in a second, 50 clients: higher is better"]
    panels = [p for p in (panel(figures, g, t, i) for i, (g, t) in enumerate(
        zip(groups(scale), titles))) if p is not None]
    if not panels:
        return False
    if shutil.which("gnuplot") is None:
        print("bench: no picture: the package gnuplot-nox is missing")
        return False
    script = """
set terminal svg size 960,%d font "sans-serif,11" background "white"
set output "%s"
set multiplot layout %d,1
set logscale y
set grid y lc rgb "#e0e0e0"
set style fill solid noborder
set border 3 lc rgb "#808080"
set ytics nomirror format "%%.0f" textcolor rgb "black"
set rmargin 12
unset key
""" % (400 * len(panels), path, len(panels)) + "\n".join(panels)
    subprocess.run(["gnuplot"], input=script.encode(), check=True)
    return True


def main():
    scale = 1000000
    figures = report.load(sys.argv[1], works.all_works(scale))
    sys.exit(not draw(figures, scale, sys.argv[2]))


if __name__ == "__main__":
    main()
