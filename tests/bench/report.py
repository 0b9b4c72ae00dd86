# SPDX-License-Identifier: MIT
"""Tables, JSON and the place for them in docs/performance.md."""
import os
import platform
import re
import statistics
import subprocess

END = "<!-- end of figures -->\n"


def marks(target):
    """Between these are the figures of that target of make."""
    return ("<!-- figures, written by make %s BENCH_SAVE=1 -->\n" % target, END)



def first_line(command):
    try:
        return subprocess.run(command, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL
                              ).stdout.decode().splitlines()[0]
    except (OSError, IndexError):
        return "unknown"


def machine():
    model, memory = "unknown", 0
    with open("/proc/cpuinfo") as info:
        for line in info:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
    with open("/proc/meminfo") as info:
        memory = int(info.readline().split()[1]) // 1024
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_mib": memory,
        "kernel": platform.release(),
        "compiler": first_line([os.environ.get("CC", "cc").split()[0],
                                "--version"]),
        "load_before": os.getloadavg()[0],
    }


def summary(figures):
    return (statistics.median(figures), min(figures), max(figures))


def number(x):
    if x >= 10000:
        return "{:,.0f}".format(x)
    if x >= 100:
        return "%.0f" % x
    return "%.1f" % x if x >= 10 else "%.2f" % x


def load(path, works):
    """The figures that a page of ours has: of each their minimum, median and maximum."""
    keys = {work.title: [] for work in works}
    for work in works:
        keys[work.title].append(work.key)
    figures, key = {}, None
    with open(path) as page:
        page = page.read()
    for line in page.split("| work | by |", 1)[1].splitlines()[2:]:
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if not cells:
            break
        title, name, middle, low, high, _ = cells
        # Works of the same title stand in their order.
        key = keys[title].pop(0) if title else key
        figures[key, name] = [
            float(x.replace(",", "")) for x in (low, middle, high)]
    return figures


def ratio(x):
    return "%.3f" % x if x < 0.3 else "%.2f" % x


def judge(target, figures):
    """Of the ratios of each round the median: what disturbs the machine for
    longer than a round is in both figures."""
    result = {"what": target.title, "bound": target.bound,
              "at_least": target.at_least, "verdict": "not measured"}
    top = figures.get(target.of, [])
    if target.to is not None:
        bottom = figures.get(target.to, [])
        top = [a / b for a, b in zip(top, bottom)]
    if top:
        middle, low, high = summary(top)
        ok = (middle >= target.bound if target.at_least
              else middle <= target.bound)
        result.update(figure=middle, min=low, max=high,
                      verdict="reached" if ok else "missed")
    return result


def bound(judged):
    exact = {1 / 20: "1/20", 1 / 100: "1/100", 1 / 5: "1/5"}
    text = exact.get(judged["bound"], "%g" % judged["bound"])
    return ("at least " if judged["at_least"] else "at most ") + text


def target_rows(judged):
    rows = [("target", "", "median", "min", "max", "")]
    for j in judged:
        show = number if j["bound"] > 10 else ratio
        rows.append((j["what"], bound(j)) + (
            tuple(show(j[k]) for k in ("figure", "min", "max"))
            if "figure" in j else ("", "", "")) + (j["verdict"],))
    return rows


def work_rows(all_works, figures):
    rows = [("work", "by", "median", "min", "max", "")]
    for work in all_works:
        for name in work.contenders:
            if (work.key, name) in figures:
                rows.append((work.title, name) + tuple(
                    number(x) for x in summary(figures[work.key, name])) +
                    (work.unit,))
    return rows


def text(rows):
    widths = [max(len(r[i]) for r in rows) for i in range(6)]
    lines, last = [], None
    for row in rows:
        head = row[0] if row[0] != last else ""
        last = row[0]
        lines.append("  ".join([
            head.ljust(widths[0]), row[1].ljust(widths[1])] + [
            row[i].rjust(widths[i]) for i in (2, 3, 4)] + [row[5]]).rstrip())
    return "\n".join(lines)


def markdown(rows):
    lines, last = [], None
    for i, row in enumerate(rows):
        head = row[0] if row[0] != last else ""
        last = row[0]
        lines.append("| " + " | ".join((head,) + row[1:]) + " |")
        if i == 0:
            lines.append("| --- | --- | ---: | ---: | ---: | --- |")
    return "\n".join(lines) + "\n"


def save(path, judged, all_works, figures, facts, covered,
         between=marks("bench")):
    """Between the marks in the page."""
    begin, end = between
    with open(path) as page:
        old = page.read()
    about = ("%(processor)s, %(cores)d processors, %(memory_mib)d MiB, Linux "
             "%(kernel)s, %(compiler)s; load before: %(load_before).2f.\n"
             % facts)
    new = "\n".join([about, markdown(target_rows(judged)),
                     markdown(work_rows(all_works, figures)), covered + "\n"])
    with open(path, "w") as page:
        page.write(re.sub(
            "(?s)" + re.escape(begin) + ".*?" + re.escape(end),
            lambda _: begin + "\n" + new + "\n" + end, old))


def as_json(judged, all_works, figures, facts, rounds, skipped):
    return {
        "machine": facts,
        "rounds": rounds,
        "skipped": skipped,
        "targets": judged,
        "works": [{
            "work": w.name, "n": w.n, "title": w.title, "unit": w.unit,
            "contenders": [{
                "name": name,
                "median": statistics.median(figures[w.key, name]),
                "min": min(figures[w.key, name]),
                "max": max(figures[w.key, name]),
                "rounds": figures[w.key, name],
            } for name in w.contenders if (w.key, name) in figures],
        } for w in all_works],
    }


