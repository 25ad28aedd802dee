"""The faults, and what is said of a tool that met them."""

from __future__ import annotations

import itertools
import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.faultrun import CHILD, HungError, Trial, script
from tests.faults import child
from tests.faults.oracle import Found, check, written

Children = dict[str, str | None]


@dataclass(frozen=True)
class Case:
    """A fault: its number in the catalogue, what it is, what is expected, and how it's made."""

    id: str
    fault: str
    expected: str
    measure: Callable[[Trial], str]


def _children(trial: Trial, mode: str, *names: str, meet: bool = True, **options: object) -> Children:
    """Children that wait for each other at their end."""
    if meet:
        options |= {"gate": trial.folder / "gate", "of": len(names)}
    return {name: script(mode, name, **options) for name in names}


def _share(lost: int, total: int) -> str:
    """Exact where it's little; never 100 % where something came."""
    if lost * 100 < total:
        return f"{lost:,} lost"
    return "lost > 99%" if 0.99 < lost / total < 1 else f"lost {lost / total:.0%}"


def _lost(found: Found, wanted: dict[str, int]) -> str:
    total, lost = sum(wanted.values()), found.lost(wanted)
    return _share(lost, total) + (f", {found.torn_count:,} torn" if found.torn_count else "")


def _found(trial: Trial) -> Found:
    assert trial.oracle is not None
    return trial.oracle.end()


def _ended(trial: Trial, seconds: float | None = None) -> str:
    took = trial.finish(seconds)
    when = "at once" if took < 0.1 else f"in {took:.1f} s"
    return f"ended {when}, exit {trial.status}"


def _spoke(trial: Trial) -> str:
    """What it said on stderr, in a word or two."""
    errors = trial.errors
    if "Traceback" in errors or re.search(r"^\s+at .*:\d+:\d+\)?$", errors, re.MULTILINE):
        return "a traceback"
    return "says so" if re.search(r"space|lost|ENOSPC|disk", errors, re.IGNORECASE) else "silent"


# --- readers


def t01(trial: Trial) -> str:
    tasks = dict.fromkeys("ab", 200_000)
    kinds = {task: {"n": n, "report": trial.folder / f"{task}.written"} for task, n in tasks.items()}
    gate = {"gate": trial.folder / "gate", "of": 2}
    trial.start({task: script("lines", task, **kinds[task], **gate) for task in tasks}, check=True)
    stop = time.monotonic() + 4
    while time.monotonic() < stop:
        trial.look()
        time.sleep(0.1)  # nobody reads meanwhile: that is the fault
    ahead = sum(written(trial.folder / f"{task}.written") for task in tasks) / 1e6
    trial.be_patient(40)
    trial.finish()
    return (
        f"{_lost(_found(trial), tasks)}; {ahead:.1f} MB ahead, {trial.peak:.0f} MB RSS, exit {trial.status}"
    )


def t02(trial: Trial) -> str:
    tasks = dict.fromkeys("ab", 15_000)
    trial.start(_children(trial, "lines", *tasks, n=15_000), check=True)
    trial.read(trial.limit, rate=1e6)
    trial.be_patient(20)
    trial.finish()
    return f"{_lost(_found(trial), tasks)}, exit {trial.status}"


def t04(trial: Trial) -> str:
    trial.start(_children(trial, "flood", "a", "b", meet=False))
    trial.read_until(b"\n")
    trial.leave()
    words = _ended(trial, 10)
    noise = {"a traceback": ", a traceback"}.get(_spoke(trial), "")
    return f"{words}{noise}, {trial.survivors()}"


def t06(trial: Trial) -> str:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        trial.start(_children(trial, "lines", "a", "b"), stdout=full)
    finally:
        os.close(full)
    words = _ended(trial, 10)
    return f"{words}, {_spoke(trial)}, {trial.survivors()}"


# --- starting


def t12(trial: Trial) -> str:
    names = [f"t{n}" for n in range(12)]
    children = _children(trial, "lines", *names, meet=False, n=30, every=20, lines_per_write=1)
    trial.start(children, wrapper=["sh", "-c", 'ulimit -n 24; exec "$@"', "sh"], check=True)
    trial.finish()
    found = _found(trial)
    whole = sum(found.good(name) == 30 for name in names)
    return f"{whole} of 12 complete, exit {trial.status}"


def t16(trial: Trial) -> str:
    peer = script("lines", "p", n=50, every=20, lines_per_write=1)
    trial.start({"x": None, "y": "!", "p": peer})
    trial.finish()
    found = check(b"".join(b"%s\n" % text for text in trial.lines("p")), {"p": b""})
    told = [code for code in ("127", "126") if re.search(rf"\b{code}\b", trial.errors + _text(trial))]
    peer_words = "peer unharmed" if found.good("p") == 50 else f"peer lost {50 - found.good('p')} of 50"
    return f"{peer_words}, {'/'.join(told) or 'no status'} shown, exit {trial.status}"


def _text(trial: Trial) -> str:
    return trial.output.decode(errors="replace")


# --- teardown


def t17(trial: Trial) -> str:
    return _left_behind(trial, "daemon")


def t18(trial: Trial) -> str:
    return _left_behind(trial, "bg")


def _left_behind(trial: Trial, mode: str) -> str:
    trial.start({"a": script(mode, "a", after=4000, seconds=60)})
    try:
        words = _ended(trial, 10)
    except HungError:
        return "waits for it (> 10 s)"
    late = "late line shown, " if b"late" in trial.output else ""
    return f"{words}, {late}{trial.survivors()}"


def _stopped(trial: Trial, mode: str, signum: int) -> str:
    trial.start(_children(trial, mode, "a", "b", meet=False))
    trial.read_until(b":ready", 2)
    time.sleep(0.3)  # what they do when they're ready is done
    trial.signal(signum)
    return _ended(trial, 15)


def t19(trial: Trial) -> str:
    return f"{_stopped(trial, 'noterm', signal.SIGTERM)}, {trial.survivors()}"


def t20(trial: Trial) -> str:
    words = _stopped(trial, "graceful", signal.SIGTERM)
    return f"{trial.output.count(b':goodbye')} of 2 goodbyes, {words}"


def t21(trial: Trial) -> str:
    trial.start({"a": script("closeout", "a", seconds=2, code=7)})
    trial.finish()
    took = time.monotonic() - trial.began
    rest = b"\n".join(text for text in trial.output.split(b"\n") if b"before" not in text)
    said = trial.errors + rest.decode(errors="replace")
    shown = "7 shown" if re.search(r"(?<![\w.:])-?7(?![\w.:])", said) else "code not shown"
    waited = "waited" if took >= 2 else f"did not wait ({took:.1f} s)"
    return f"{waited}, {shown}, exit {trial.status}"


def t23(trial: Trial) -> str:
    return f"{_stopped(trial, 'stopself', signal.SIGTERM)}, {trial.survivors()}"


def t24(trial: Trial) -> str:
    peer = script("lines", "p", n=50, every=20, lines_per_write=1)
    trial.start({"a": script("selfkill", "a", n=500), "p": peer}, check=True)
    said: list[bytes] = []
    oracle = trial.oracle
    assert oracle is not None
    trial.finish()
    found = _found(trial)
    said = found.other
    text = trial.errors + b"\n".join(said).decode(errors="replace")
    shown = "signal shown" if re.search(r"SIGKILL|signal 9|\b137\b|-9\b|Killed", text) else "signal not shown"
    return f"{_lost(found, {'a': 500})}, peer {_lost(found, {'p': 50})}, {shown}, exit {trial.status}"


def t39_int(trial: Trial) -> str:
    return f"{_stopped(trial, 'obedient', signal.SIGINT)}, {trial.survivors()}"


def t39_term(trial: Trial) -> str:
    return f"{_stopped(trial, 'obedient', signal.SIGTERM)}, {trial.survivors()}"


def t42(trial: Trial) -> str:
    trial.start({"a": "grep SigIgn /proc/self/status; yes | head -1"})
    trial.finish()
    match = re.search(rb"SigIgn:\s*([0-9a-f]+)", trial.output)
    ignored = bool(int(match[1], 16) >> (signal.SIGPIPE - 1) & 1) if match else None
    return {True: "ignored", False: "default", None: "not known"}[ignored]


def t43(trial: Trial) -> str:
    children = _children(trial, "obedient", "a", meet=False)
    children |= _children(trial, "noterm", "b", meet=False)
    children |= _children(trial, "flood", "c", meet=False)
    trial.start(children)
    seen = b""
    while not (b"a:0:" in trial.output and b"b:0:" in trial.output):
        trial.read(0.3)
        seen, trial.output = trial.output[-100:], seen + trial.output
        if time.monotonic() - trial.began > trial.limit:
            raise HungError(trial.limit)
        trial.output = b"".join(re.findall(rb"[ab]:0:.*\n", trial.output))
    trial.signal(signal.SIGKILL)
    trial.leave()
    trial.finish()
    words = trial.survivors()
    living = trial.living().values()
    if not living:
        return words
    children = sum(str(CHILD) in command for command in living)
    own = f", {len(living) - children} of the tool's own" if len(living) > children else ""
    return f"{children} of 3 children survive{own}"


def t62(trial: Trial) -> str:
    trial.start({"a": script("fds", "a")})
    trial.finish()
    match = re.search(rb"fds ([\d,]+)", trial.output)
    return match[1].decode() if match else "not known"


# --- floods


def t26(trial: Trial) -> str:
    reports = {name: trial.folder / f"{name}.written" for name in "abcd"}
    children: Children = {name: script("flood", name, report=path) for name, path in reports.items()}
    trial.start(children, on_data=len)
    trial.read(5)
    sizes = [written(path) for path in reports.values()]
    share = min(sizes) / (sum(sizes) / 4) if sum(sizes) else 0.0
    words = f"least {share:.0%} of mean, {trial.peak:.0f} MB RSS"
    trial.signal(signal.SIGINT)
    try:
        return f"{words}; {_ended(trial, 10)}"
    except HungError as hung:
        hung.so_far = words
        raise


def t27(trial: Trial) -> str:
    ages: list[float] = []
    rest = b""
    count = 300

    def take(data: bytes) -> None:
        nonlocal rest
        now = time.monotonic_ns()
        stamps = re.findall(rb"\bq:\d+:[0-9a-f]{8}:(\d+)\n", rest + data)
        ages.extend((now - int(stamp)) / 1e6 for stamp in stamps)
        rest = data[data.rfind(b"\n") + 1 :]

    children: Children = {"a": script("flood", "a"), "q": script("quiet", "q", n=count)}
    trial.start(children, on_data=take)
    trial.read(trial.limit, until=lambda: len(ages) >= count)
    if len(ages) < count:
        return f"{len(ages)} of {count} lines seen in {time.monotonic() - trial.began:.0f} s"
    return f"p99 {sorted(ages)[count * 99 // 100]:,.1f} ms"


def t28(trial: Trial) -> str:
    size = 128_000_000
    head = b""
    at = breaks = 0
    wrong = -1
    block = child.BLOCK * 5

    def take(data: bytes) -> None:
        nonlocal head, at, breaks, wrong
        if wrong >= 0 or at >= size:
            breaks += data.count(b"\n")
            return
        if not at:
            data = head + data
            match = re.match(trial.tool.pattern("a"), data)
            if match is None:
                head = data
                return
            data = data[match.end() :]
        start = at % len(child.BLOCK)
        piece = data[: size - at]
        if piece != block[start : start + len(piece)]:
            wrong = at
        at += len(piece)
        breaks += data.count(b"\n")

    trial.start({"a": script("bigline", "a", size=size)}, on_data=take)
    trial.be_patient(20)
    trial.finish()
    memory = f"{trial.peak:.0f} MB RSS"
    if wrong >= 0:
        return f"broken or changed at {wrong / 1e6:.1f} MB, {memory}"
    if at < size:
        return f"{_share(size - at, size)}, {memory}"
    return f"whole, {memory}"


def t29(trial: Trial) -> str:
    count = 200_000
    seen = 0
    rest = b""
    pattern = re.compile(trial.tool.pattern("a"))

    def take(data: bytes) -> None:
        nonlocal seen, rest
        *whole, rest = (rest + data).split(b"\n")
        seen += sum(bool(pattern.fullmatch(text) or pattern.fullmatch(text + b" ")) for text in whole)

    trial.start({"a": script("empty", "a", n=count)}, on_data=take)
    trial.be_patient(20)
    trial.finish()
    lost = count - seen
    return (
        f"lost {lost / count:.0%}" if lost > count / 100 else f"{lost:,} lost"
    ) + f", {trial.peak:.0f} MB RSS"


# --- lines and text


def t30(trial: Trial) -> str:
    trial.start(_children(trial, "partial", "a", "b", "c"), check=True)
    trial.finish()
    found = _found(trial)
    return f"{sum(s.good for s in found.streams.values())} of 6 whole" + (
        f", {found.torn_count} torn or glued" if found.torn_count else ""
    )


def t31(trial: Trial) -> str:
    trial.start(_children(trial, "halves", *"abcd"), check=True)
    trial.finish()
    found = _found(trial)
    prefix = re.compile(b"|".join(trial.tool.pattern(name) for name in "abcd"))
    parts = [text for text in found.other if prefix.match(text) and b" exited with " not in text]
    torn = found.torn_count + len(parts)
    return f"{sum(s.good for s in found.streams.values())} of 80 whole" + (f", {torn} torn" if torn else "")


def t32(trial: Trial) -> str:
    trial.start({"a": script("badutf8", "a")})
    trial.finish()
    wanted = [child.BAD_TEXT] * (len(child.BAD_TEXT) + 1) + [child.BAD_TEXT[:1]]
    got = [text for text in trial.lines("a") if text]
    if got[: len(wanted)] == wanted:
        return "bytes exact"
    replaced = sum("\ufffd".encode() in text for text in got)
    whole = sum(text == child.BAD_TEXT for text in got)
    return f"{whole} of {len(wanted) - 1} lines exact" + (f", {replaced} with U+FFFD" if replaced else "")


def _on_terminal(trial: Trial, children: Children) -> bytes:
    trial.start(children, terminal=True)
    trial.finish()
    return trial.output


def t33(trial: Trial) -> str:
    data = _on_terminal(
        trial,
        _children(trial, "crprog", "a") | _children(trial, "lines", "b", n=20, every=50, lines_per_write=1),
    )
    prefixes = b"|".join(trial.tool.pattern(name) for name in "ab")
    outside = len(re.findall(rb"\r(?![\r\n])(?!" + prefixes + rb")", data))
    return f"{outside} redraws begin outside of it" if outside else "prefix on each row"


def t34(trial: Trial) -> str:
    data = _on_terminal(trial, {"a": script("esc", "a")})
    reach = [name for name, sequence in child.ESCAPES.items() if sequence in data]
    return f"{len(reach)} of {len(child.ESCAPES)} reach the terminal"


def t36(trial: Trial) -> str:
    data = _on_terminal(trial, _children(trial, "bleed", "a"))
    bleeding = 0
    for opening in (rb"\x1b\[41m", rb"\x1b\[1;4;42m"):
        for match in re.finditer(opening + rb"([^\n]*)", data):
            bleeding += re.search(rb"\x1b\[(0?|49|[\d;]*;0)m", match[1]) is None
    return f"{bleeding} of 2 bleed on" if bleeding else "none bleeds on"


def t37(trial: Trial) -> str:
    data = _on_terminal(trial, {"a": script("forge", "a"), "b": "sleep 1"})
    works = []
    if re.search(rb"\r\[b\] from b", data):
        works.append("carriage return")
    if b"\x1b[1G[b] from b" in data:
        works.append("erased line")
    if "\u202e".encode() in data:
        works.append("bidi")
    return f"{len(works)} of 3 work" + (f" ({', '.join(works)})" if works else "")


CASES = [
    Case("T01", "reader asleep for 4 s, 2 × 20 MB", "0 lost, children wait", t01),
    Case("T02", "reader takes 1 MB/s, 2 × 1.5 MB", "0 lost", t02),
    Case("T04", "reader leaves (`| head -1`), 2 floods", "ends at once, not 0, 0 survivors", t04),
    Case("T06", "stdout is `/dev/full`", "not 0, says so", t06),
    Case("T12", "24 descriptors, 12 children", "those that run are complete, else not 0", t12),
    Case("T16", "one command not found, one not executable", "peer unharmed, 127 and 126 shown", t16),
    Case("T17", "double fork with setsid keeps stdout", "does not wait for it, 0 survivors", t17),
    Case("T18", "`&` grandchild keeps stdout", "does not wait for it, 0 survivors", t18),
    Case("T19", "TERM to the tool, 2 children ignore it", "killed after the grace (5 s)", t19),
    Case("T20", "TERM to the tool, 2 need 0.5 s for a goodbye", "2 goodbyes", t20),
    Case("T21", "closes stdout, lives 2 s, exits with 7", "waits, 7 shown", t21),
    Case("T23", "2 stopped children, TERM to the tool", "ends, 0 survivors", t23),
    Case("T24", "child killed by SIGKILL after 500 lines", "0 lost, signal shown, peer unharmed", t24),
    Case("T26", "4 floods for 5 s, then SIGINT", "fair, ends within 1 s", t26),
    Case("T27", "a quiet child beside a flood", "p99 < 100 ms", t27),
    Case("T28", "a line of 128 MB", "whole, memory bounded", t28),
    Case("T29", "200,000 empty lines", "0 lost", t29),
    Case("T30", "3 children end in the middle of a line", "6 of 6 whole", t30),
    Case("T31", "4 children write lines in three pieces", "80 of 80 whole", t31),
    Case("T32", "invalid UTF-8, NUL, characters cut anywhere", "bytes exact", t32),
    Case("T33", "progress drawn with `\\r` (terminal)", "prefix on each row", t33),
    Case("T34", "19 sequences that drive a terminal (terminal)", "none reaches it", t34),
    Case("T36", "colours left on (terminal)", "none bleeds on", t36),
    Case("T37", "lines that claim to be another's (terminal)", "0 of 3 work", t37),
    Case("T39-INT", "SIGINT to the tool", "ends, 130, 0 survivors", t39_int),
    Case("T39-TERM", "SIGTERM to the tool", "ends, 143, 0 survivors", t39_term),
    Case("T42", "SIGPIPE in children", "default", t42),
    Case("T43", "`kill -9` of the tool, 3 children", "0 survivors after 2 s", t43),
    Case("T62", "descriptors that children inherit", "0,1,2", t62),
]
assert len({case.id for case in CASES}) == len(CASES)
assert all(a.id <= b.id for a, b in itertools.pairwise(CASES))
