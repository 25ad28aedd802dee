"""The run as Markdown: goals first, then a table per question, then what was missing."""

from __future__ import annotations

from benchmarks import machine, verify
from benchmarks.goals import OURS, Cases
from benchmarks.series import Case

Row = list[str]


def number(value: float | None) -> str:
    if value is None:
        return "–"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(header: Row, rows: list[Row]) -> str:
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("cat|cat", "cat \\| cat") for cell in row) + " |" for row in lines
    )


def subjects(cases: list[Case]) -> list[str]:
    """Everyone who took part, ours first, the others in the order of the round."""
    names = dict.fromkeys(name for case in cases for name in [*case.samples, *case.problems])
    return sorted(names, key=lambda name: name != OURS)


def cell(case: Case, tool: str, metric: str, scale: float = 1.0) -> str:
    value = case.median(tool, metric)
    if value is None:
        return "failed" if tool in case.problems else "–"
    note = f" ({case.notes[tool]})" if tool in case.notes else ""
    return number(value * scale) + note


def ratio(case: Case, tool: str, metric: str) -> str:
    value = None if tool == OURS else case.ratio(OURS, tool, metric)
    return "" if value is None else f"{value:.2f} ×"


def label(tool: str) -> str:
    return f"**{tool}**" if tool == OURS else tool


def throughput(cases: Cases) -> str:
    chosen = [cases[n] for n in ("throughput-small", "throughput-large", "lines") if n in cases]
    if not chosen:
        return ""
    header = ["MB/s, ours / theirs"]
    for case in chosen:
        header += [case.title.rsplit(", ", 1)[1] + (" line by line" if case.name == "lines" else ""), "ratio"]
    rows = []
    for tool in subjects(chosen):
        row = [label(tool)]
        for case in chosen:
            row += [cell(case, tool, "mb_s"), ratio(case, tool, "mb_s")]
        biggest = chosen[-1] if chosen[-1].name != "lines" or len(chosen) == 1 else chosen[-2]
        found = [case.verdicts[tool] for case in chosen if tool in case.verdicts]
        bad = [verdict for verdict in found if not verify.complete(verdict)]
        output = verify.in_words(bad[0] if bad else found[0]) if found else ""
        rows.append([*row, cell(biggest, tool, "cpu_s_gb"), output])
    return "## Throughput\n\n" + table([*header, "own CPU, s/GB", "output"], rows)


def pty(cases: Cases) -> str:
    if "pty" not in cases:
        return ""
    case = cases["pty"]
    rows = []
    for tool in subjects([case]):
        found = case.verdicts.get(tool)
        row = [label(tool), cell(case, tool, "mb_s"), ratio(case, tool, "mb_s"), cell(case, tool, "cpu_s_gb")]
        rows.append([*row, verify.in_words(found) if found else ""])
    return f"## {case.title}\n\n" + table(["", "MB/s", "ours / theirs", "own CPU, s/GB", "output"], rows)


def journal(cases: Cases) -> str:
    if "journal" not in cases:
        return ""
    case = cases["journal"]
    ours = "axiom-trio --journal"
    rows = []
    for tool in subjects([case]):
        value = None if tool == ours else case.ratio(ours, tool, "mb_s")
        ratio = "" if value is None else f"{value:.2f} ×"
        rows.append([label(tool), cell(case, tool, "mb_s"), ratio, cell(case, tool, "cpu_s_gb")])
    return f"## {case.title}\n\n" + table(["", "MB/s", "with a journal / this", "own CPU, s/GB"], rows)


def latency(cases: Cases) -> str:
    chosen = [case for name, case in cases.items() if name.startswith("latency-")]
    if not chosen:
        return ""
    header = ["p50 / p99, ms"]
    for case in chosen:
        _, children, how = case.name.split("-")
        header += [f"{children} children" + (", beside a flood" if how == "flood" else "")]
        header += ["flood MB/s"] * (how == "flood")
    rows = []
    for tool in subjects(chosen):
        row = [label(tool)]
        for case in chosen:
            p50, p99 = cell(case, tool, "p50", 1e-3), cell(case, tool, "p99", 1e-3)
            row.append(p50 if p50 == p99 else f"{p50} / {p99}")
            if case.name.endswith("flood"):
                row.append(cell(case, tool, "mb_s"))
        rows.append(row)
    return "## Latency from a child to the reader\n\n" + table(header, rows)


def by_case(cases: Cases, prefix: str, title: str, metric: str, unit: str) -> str:
    chosen = [case for name, case in cases.items() if name.startswith(prefix)]
    if not chosen:
        return ""
    rows = [[label(tool), *(cell(case, tool, metric) for case in chosen)] for tool in subjects(chosen)]
    return f"## {title}\n\n" + table(
        [unit, *(case.title.replace(title.lower() + ", ", "") for case in chosen)], rows
    )


def websocket(cases: Cases) -> str:
    rows = []
    for name, case in cases.items():
        if name.startswith("websocket-"):
            per_second = cell(case, OURS, "lines_s", 1e-6)
            of_processor = cell(case, OURS, "lines_cpu_s", 1e-6)
            delays = [cell(case, OURS, metric, 1e-3) for metric in ("p50", "p99")]
            rows.append([case.title, per_second, of_processor, *delays, cell(case, OURS, "kb")])
    header = ["", "M lines/s", "M lines per second of its processor", "p50, ms", "p99, ms", "KB per viewer"]
    return "## The port\n\n" + table(header, rows) if rows else ""


def page(cases: Cases) -> str:
    chosen = [case for name, case in cases.items() if name.startswith("page-")]
    if not any(case.samples for case in chosen):
        return ""
    metrics = ("cpu_ms", "longest_ms", "gap_ms", "frames_s", "peak_mb", "kept_mb", "lines_s", "skipped")
    rows = [[case.title, *(cell(case, "page", metric) for metric in metrics)] for case in chosen]
    header = [
        "",
        "longest task, ms of processor",
        "the same, with waiting",
        "longest between frames, ms",
        "frames/s",
        "heap, peak, MB",
    ]
    return "## The page, ten children, a million lines\n\n" + table(
        [*header, "heap, kept, MB", "lines/s", "lines skipped"], rows
    )


def spawn(cases: Cases) -> str:
    rows = []
    for name, case in cases.items():
        if name.startswith("spawn-") and (times := sorted(case.column(OURS, "ms"))):
            rows.append([case.title, *map(number, (times[len(times) // 2], times[-1])), str(len(times))])
    header = ["ms till `axiom_mcp_spawn` with `returnImmediately` answers", "median", "longest", "calls"]
    return "## Agents through MCP\n\n" + table(header, rows) if rows else ""


def many(cases: Cases) -> str:
    chosen = [cases[name] for name in ("many", "stop", "stop-ignoring") if name in cases]
    if not chosen:
        return ""
    rows = []
    for tool in subjects(chosen):
        row = [label(tool), *(cell(case, tool, "seconds") for case in chosen)]
        found = cases["many"].verdicts.get(tool, {}) if "many" in cases else {}
        rows.append([*row, verify.in_words(found) if found else ""])
    return "## Many children\n\n" + table(["seconds", *(case.title for case in chosen), "output"], rows)


def startup(cases: Cases) -> str:
    if "startup" not in cases:
        return ""
    case = cases["startup"]
    names = sorted(case.samples, key=lambda name: case.median(name, "ms") or 0)
    rows = [[f"`{name}`" if ":" not in name else name, cell(case, name, "ms")] for name in names]
    return "## Start-up\n\n" + table(["", "ms"], rows)


def goals(rows: list[dict], *, judged: bool) -> str:
    marks = {True: "yes", False: "**no**", None: "not measured"}
    cells = []
    for row in rows:
        measured = "" if row["value"] is None else f"{number(row['value'])} {row['unit']}".strip()
        verdict = marks[row["reached"]] if judged or row["reached"] is None else "not judged"
        cells.append([row["what"], row["goal"], measured, verdict])
    return "## Goals\n\n" + table(["", "goal", "measured", "reached"], cells)


def failures(cases: Cases) -> str:
    rows = [
        f"* {case.title}: {tool}: {why}" for case in cases.values() for tool, why in case.problems.items()
    ]
    return "## What did not work\n\n" + "\n".join(rows) if rows else ""


def versions(tools: dict[str, dict]) -> str:
    present = [f"{n} {t['version']}".strip() for n, t in tools.items() if t["installed"] and not t["floor"]]
    absent = [
        f"* {name}: not found; {tool['install']}" for name, tool in tools.items() if not tool["installed"]
    ]
    text = "## Versions\n\n" + ", ".join(present) + "."
    return text + ("\n\nMissing:\n\n" + "\n".join(absent) if absent else "")


def markdown(result: dict, cases: Cases) -> str:
    how = f"Medians of {result['rounds']} interleaved rounds, ratios from round to round, through a pipe."
    parts = [
        f"# Benchmarks, {result['when']}",
        f"{machine.in_words(result['machine'])}. {how}"
        + (" Quick run: rough, and smaller than the goals are meant for." if result["quick"] else ""),
        result["remark"],
        goals(result["goals"], judged=not result["quick"] and not result.get("size")),
        throughput(cases),
        pty(cases),
        journal(cases),
        latency(cases),
        by_case(
            cases,
            "intervention-",
            "Intervention, from the attempt to the last of console and subscriptions, p99",
            "p99",
            "µs",
        ),
        spawn(cases),
        by_case(cases, "footer-throughput", "On a terminal, with a footer and without", "mb_s", "MB/s"),
        by_case(cases, "footer-latency-", "The same, latency p50", "p50", "µs"),
        by_case(cases, "footer-latency-", "The same, latency p99", "p99", "µs"),
        page(cases),
        by_case(cases, "memory-", "Peak memory", "tree_mb", "MB, all processes of the tool"),
        many(cases),
        startup(cases),
        by_case(cases, "inprocess", "In-process sources", "events_s", "events/s"),
        websocket(cases),
        failures(cases),
        versions(result["tools"]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"
