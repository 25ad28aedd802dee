"""Prove that the tests have teeth: break the package on purpose, and see them fail.

    python -m tests.mutants [NAME…]      all, or those named
    python -m tests.mutants --list

Each mutant is an exact replacement in one file of a copy of the package; the quick
tests that should notice run against the copy. A mutant that survives, or whose text
is no longer found in the source, is a failure.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
LIMIT = 90.0  # seconds for the tests of one mutant; beyond it they hang, and so have noticed

PORT = "engine/port.py"
MERGER = "engine/merger.py"
OPENING = "engine/opening.py"
RUNNING = "executors/running.py"
MODEL = ("test_model.py", "test_port.py")
TEARDOWN = ("test_teardown.py",)
MASKING = ("test_masking.py",)
QUERIES = ("sansio/test_queries.py", "executors/test_queries.py")
REDRAW = ("sansio/test_redraw.py",)
SCREEN = ("sansio/test_screen.py",)
SCREENS = ("test_screens.py",)
FAULTS = "faults/test_teardown.py::test_"
BEHIND = ("test_pace.py::test_who_was_left_behind_and_has_caught_up_is_given_its_text_again",)
AT_ONCE = ("test_pace.py::test_what_the_journal_does_not_write_at_once_its_task_writes",)

RULES = "sansio/rules.py"
MATCHING = "sansio/matching.py"
PRESETS = "sansio/presets.py"
RULE_TESTS = ("sansio/test_rules.py",)
PRESET_TESTS = ("sansio/test_presets.py",)
WRITING = "engine/interventions.py"
EVIDENCE = "engine/evidence.py"
ACTIONS = "engine/rule_actions.py"
REGION, IN_REGION = "terminal/region.py", ("terminal/test_region.py",)
SINK, IN_SINK = "terminal/sink.py", ("terminal/test_sink.py",)
KEYBOARD = "terminal/test_keyboard.py::test_"

RUNTIME, IN_RUNTIME = "server/runtime.py", ("server/test_runtime.py",)
CONTROL = "server/test_control.py::test_"
GATE, IN_GATE = "sansio/gate.py", ("sansio/test_gate.py",)
STREAM, LISTENER, FEED = "server/stream.py", "server/listener.py", "server/feed.py"
WEBSOCKET = "server/test_websocket.py::test_"
FRONT = "server/test_http.py::test_"

WEB = "server/page/"  # its mutants need chromium
IN_WEB = "server/test_page.py::test_"
SEAMS = (f"{IN_WEB}history_and_live_join_wherever_lines_are_cut",)
INERT = (f"{IN_WEB}hostile_output_stays_inert_t38",)

AGENTS, IN_AGENTS = "sansio/agents.py", ("sansio/test_agents.py",)
PLAN, IN_PLAN = "spawn/plan.py", ("spawn/test_plan.py",)
PATTERNS, IN_PATTERNS = "spawn/patterns.py", ("spawn/test_patterns.py",)
RECURSIVE = "spawn/recursive.py"

MCP_PAGE, IN_MCP_PAGE = "spawn/mcp_page.py", ("spawn/test_mcp_page.py",)
SPAWNS, STDIO = "spawn/mcp_spawns.py", "spawn/mcp_stdio.py"
IN_MCP, MCP_COMMAND = "spawn/test_mcp.py::test_", "spawn/test_mcp_command.py::test_"
MCP_OUTPUT = (f"{IN_MCP}output_is_polled_to_the_end_and_no_line_is_missing_or_doubled",)


class Mutant(NamedTuple):
    file: str
    old: str
    new: str
    tests: tuple[str, ...] = MODEL


def sent(*names: str) -> tuple[str, ...]:
    """Tests of interventions."""
    return tuple(f"test_interventions.py::test_{name}" for name in names)


def ruled(*names: str) -> tuple[str, ...]:
    """Tests of rules at work."""
    return tuple(f"test_interventions_rules.py::test_{name}" for name in names)


MUTANTS = {
    "drop when full": Mutant(PORT, "            await self._send.send(chunk)\n", "            return\n"),
    "lose the chunk in hand": Mutant(PORT, "            self.left.insert(0, chunk)\n", "            pass\n"),
    "unbounded channel": Mutant(
        PORT, "trio.open_memory_channel[Chunk](1)", 'trio.open_memory_channel[Chunk](float("inf"))'
    ),
    "what a sender laid back is overtaken": Mutant(
        PORT, "if self._sending or not self.left:", "if not self.left:"
    ),
    "two senders take each other's chunk for theirs": Mutant(
        PORT, "if not chunk.taken:  # else", "if True:  # else"
    ),
    "reorder within a child": Mutant(PORT, "last.parts += chunk.parts", "last.parts[:0] = chunk.parts"),
    "a sender's last chunks in the wrong order": Mutant(
        PORT,
        "                raise\n            chunk = self.left.pop(0)",
        "                raise\n            chunk = self.left.pop()",
    ),
    "send can't be cancelled": Mutant(
        PORT,
        "            await trio.lowlevel.checkpoint()\n",
        "            await trio.lowlevel.cancel_shielded_checkpoint()\n",
        ("test_port.py",),
    ),
    "open lines are never shown": Mutant(
        PORT, "            self._tails.watch(self, splitter)\n", "            pass\n", ("test_tails.py",)
    ),
    "a secret's beginning is shown at once": Mutant(
        "sansio/masks.py",
        "hold = len(data) if final else self._masks.open_at(data, 0)",
        "hold = len(data)",
        MASKING,
    ),
    "what was shown of a secret in a silence is forgotten": Mutant(
        "sansio/masks.py", "self._shown = len(self._held)\n", 'self._held = b""\n', MASKING
    ),
    "what is held back is lost at the end": Mutant(
        "engine/masking.py", 'self._split(self._masker.feed(b"", final=True))', "pass", MASKING
    ),
    "a short beginning of a secret waits for ever": Mutant(
        "engine/masking.py",
        "        self.pending += self._releasable\n        return block",
        "        return block",
        MASKING,
    ),
    "an error tells a secret": Mutant("engine/supervisor.py", "ended = port.masked(ended)", "pass", MASKING),
    "no final event": Mutant(
        MERGER,
        "        self._log.append(event, self._formatter.end(port.child)",
        '        if event.reason != "cancelled":\n'
        "            self._log.append(event, self._formatter.end(port.child)",
    ),
    "no floor for over-long lines": Mutant(
        MERGER,
        "self._floor = port if line.size < FLOOR_BYTES and line.waited < FLOOR_TOTAL else None",
        "self._floor = None",
        ("test_tails.py",),
    ),
    "marked errors change sides": Mutant(
        MERGER, 'yield "error" if is_error else kind, piece', "yield kind, piece", (*MODEL, "test_order.py")
    ),
    "line numbers with gaps": Mutant(MERGER, "seq=meter.lines,", "seq=meter.lines + lines,"),
    "one child served until it has no more": Mutant(
        MERGER,
        "            self._ready.append(port)\n            self._merge",
        "            self._ready.appendleft(port)\n            self._merge",
        ("test_order.py",),
    ),
    "the gate holds nobody": Mutant(
        "sansio/log.py",
        "return any(total - cursor.done >= gate",
        "return False and any(total - cursor.done >= gate",
    ),
    "gap miscounted": Mutant("sansio/cursor.py", "            self._count(batch)\n", "            pass\n"),
    "events evicted before they are read": Mutant(
        "sansio/log.py",
        "zip(islice(self.events, max(0, keep_from - self.base)), self.costs",
        "zip(self.events, self.costs",
    ),
    "advance a cursor before the write": Mutant(
        "engine/outlet.py",
        "            await self.sink.write(batch)\n            self.cursor.advance(batch)\n",
        "            self.cursor.advance(batch)\n            await self.sink.write(batch)\n",
    ),
    "prefix only the first line": Mutant(
        "sansio/text.py", 'text = data.replace(b"\\n", b"\\n" + prefix)', "text = data + prefix"
    ),
    "tail glued": Mutant(
        "sansio/text.py",
        '                self._lines(pieces, row, b"\\n", "output", row.held_time)\n        return pieces\n\n    def inter',
        "                pieces += [row.prefix, *row.held]\n        return pieces\n\n    def inter",
    ),
    "shown before it is written": Mutant(
        "sansio/log.py",
        "        return self.leader.position\n",
        "        return self.base + len(self.events)\n",
        ("test_pace.py",),
    ),
    "the journal is not read on from": Mutant(
        "sansio/cursor.py",
        "if archived is not None:",
        "if False and archived is not None:",
        ("test_pace.py",),
    ),
    "nobody gates when the journal is gone": Mutant(
        "sansio/log.py",
        "            self.leader = None\n            self._gate_followers()\n",
        "            self.leader = None\n",
        ("test_pace.py",),
    ),
    "what comes twice in the journal is read twice": Mutant(
        "sinks/journal_archive.py",
        "if record.cursor < place.cursor:",
        "if record.cursor < 0:",
        ("test_pace.py",),
    ),
    "what the journal lost is not told": Mutant(
        "engine/outlet.py", "                self._missed += event.bytes\n", "", ("test_pace.py",)
    ),
    "a block is taken though a line is open": Mutant(
        "sansio/text.py",
        "                and not row.held\n            ):\n",
        "            ):\n",
        ("sansio/test_text.py",),
    ),
    "a block is taken though a line has the floor": Mutant(
        "sansio/text.py",
        "                and self._floor is None\n                and (row",
        "                and (row",
        ("sansio/test_text.py",),
    ),
    "who follows is given the text of another format": Mutant(
        "engine/outlet.py", "apart=follows and shares_text,", "apart=follows,", BEHIND
    ),
    "who was left behind gets no text of its own": Mutant(
        "sansio/text.py",
        "                pieces += self.event(event)\n",
        "                pass\n",
        BEHIND,
    ),
    "text is made that nobody reads": Mutant(
        MERGER, "self._wants_text = self._log.wants_text", "self._wants_text = True", BEHIND
    ),
    "the text is made by each follower": Mutant(
        MERGER, "self._wants_text = self._log.wants_text", "self._wants_text = False", BEHIND
    ),
    "what the journal could not write at once is made again": Mutant(
        "sinks/journal.py",
        "work = Work(batch.events, self._rest)",
        "work = Work(batch.events)",
        ("test_pace.py::test_a_disk_that_is_full_for_a_moment_while_it_is_written_at_once",),
    ),
    "the journal is written at once though its sync comes first": Mutant(
        "sinks/journal.py", '            or self._fsync == "always"\n', "", ("sinks/test_journal.py",)
    ),
    "no segment ends where the journal is written at once": Mutant(
        "sinks/journal.py", "            or writer.full\n", "", ("sinks/test_journal.py",)
    ),
    "a failed sync is not seen where the journal is written at once": Mutant(
        "sinks/journal.py",
        "            or (syncer is not None and syncer.error is not None)\n",
        "",
        ("sinks/test_journal.py",),
    ),
    "the merger falls with the journal": Mutant(
        "engine/outlet.py",
        "                written = False\n",
        "                raise\n",
        AT_ONCE,
    ),
    "the journal's task is not asked for what could not be written at once": Mutant(
        "engine/outlet.py",
        "        self._wakeup.set()\n\n    def _count",
        "\n    def _count",
        AT_ONCE,
    ),
    "children are cancelled, not asked": Mutant(
        "engine/child.py", "trio.CancelScope(shield=True)", "trio.CancelScope()", ("test_children.py",)
    ),
    "a failing sink is not reported": Mutant(
        OPENING, "    if aggregator.sink_failures:\n", "    if False:\n", (*MODEL, "test_failing_sinks.py")
    ),
    "a child's stop ends the patience": Mutant(
        "engine/services.py",
        "        self.run_beside(ladder.climb, children, signum, grace)\n",
        "        self.run_beside(ladder.climb, children, signum, grace)\n        self.lose_patience(grace)\n",
        ("test_failing_sinks.py",),
    ),
    "no patience while leaving": Mutant(
        OPENING,
        "            except BaseException:\n                aggregator._services.lose_patience(grace)\n",
        "            except BaseException:\n",
        ("test_failing_sinks.py",),
    ),
    "attempts are glued": Mutant(
        MERGER,
        "self._formatter.end_lines(port.child) if self._formatter else ()",
        "()",
        ("test_supervision.py",),
    ),
    "the next attempt overtakes the last one's output": Mutant(
        "engine/supervisor.py",
        "await child._port.restart(ended, reason, attempt, delay).wait()",
        "child._port.restart(ended, reason, attempt, delay)",
        ("test_supervision.py",),
    ),
    "the KILL for one attempt hits the next": Mutant(
        "engine/ladder.py", "if child._scope is scope and child", "if child", ("test_supervision.py",)
    ),
    "a clock jump counts as silence": Mutant(
        "engine/patrol.py", "self._absences.add(now, now - self._due)", "pass", ("test_supervision.py",)
    ),
    "waiting for the run counts as silence": Mutant(
        "engine/patrol.py", "if child._port.behind:", "if False:", ("test_supervision.py",)
    ),
    "stopped children are started again": Mutant(
        "engine/child.py",
        '{reason, self._stop_reason} & {"stopped", "cancelled"}',
        "False",
        ("test_supervision.py",),
    ),
    "one that raises while it's stopped is started again": Mutant(
        "engine/child.py", "{reason, self._stop_reason} &", "{reason} &", ("test_supervision.py",)
    ),
    "what comes after a failed one is started": Mutant(
        "engine/schedule.py",
        "            if not ready:\n",
        "            if False:\n",
        ("test_supervision.py",),
    ),
    "no drain after exit": Mutant(
        RUNNING,
        "                if self._small_reads:\n",
        "                if self._exited:\n                    return\n                if self._small_reads:\n",
        TEARDOWN,
    ),
    "kill the pid instead of the group": Mutant(
        RUNNING, "os.killpg(self.pid, signum)", "os.kill(self.pid, signum)", TEARDOWN
    ),
    "the group outlives its leader": Mutant(
        RUNNING,
        "            self.signal(signal.SIGKILL)\n        finally:",
        "            pass\n        finally:",
        (FAULTS + "t18_one_without_our_environment_is_killed",),
    ),
    "what has left its group is not looked for": Mutant(
        "engine/supervisor.py",
        "            await child._aggregator._teardown.settle(child)\n",
        "",
        (FAULTS + "t17_an_escaped_process_that_holds_the_output_is_named",),
    ),
    "nothing is looked for at the end": Mutant(
        "engine/teardown.py",
        "await self._sweep(lambda _stray: True, self.escaped)",
        "pass",
        (FAULTS + "t17_a_quiet_one_is_found_when_the_block_is_left",),
    ),
    "a daemon goes before its child": Mutant(
        "engine/teardown.py",
        "return child is not None and child.completed is not None",
        "return child is not None",
        (FAULTS + "t17_a_daemon_of_a_running_child_is_left_alone",),
    ),
    "a run within a run hides it": Mutant(
        "executors/strays.py",
        'self._mark = f"AXIOM_RUN_{run_id}"',
        'self._mark = "AXIOM_RUN_X"',  # not AXIOM_RUN_ID: it would end those of other runs here
        (FAULTS + "t17_a_run_within_a_run_that_is_killed_leaves_nothing_in_the_library",),
    ),
    "zombies get old": Mutant(
        "executors/strays.py",
        "                    os.waitpid(pid, os.WNOHANG)\n",
        "                    pass\n",
        (FAULTS + "no_zombie_gets_old",),
    ),
    "the guardian knows no groups": Mutant(
        "executors/guardian.py",
        'kill -KILL "-$group"',
        ":",
        (FAULTS + "t43_groups_are_killed_whatever_their_environment",),
    ),
    "the guardian knows no marks": Mutant(
        "executors/guardian.py",
        "[ $clean -lt 2 ]",
        "false",
        (FAULTS + "t43_the_library_has_a_guardian_when_asked",),
    ),
    "descriptors made inheritable later are inherited": Mutant(
        "executors/spawn.py",
        "        _inheritable = _find_inheritable()\n",
        "        _inheritable = []\n",
        (FAULTS + "t62_children_inherit_three_descriptors",),
    ),
    "a query cut in two is not answered": Mutant(
        "sansio/queries.py", "        self._begun = data[end:]\n", '        self._begun = b""\n', QUERIES
    ),
    "a flood of queries is answered": Mutant(
        "sansio/queries.py", "elif len(answers) < ANSWERS:", "else:", QUERIES
    ),
    "a removed query makes another": Mutant(
        "sansio/queries.py", '_NOTHING: Final = b"\\x18"', '_NOTHING: Final = b""', QUERIES
    ),
    "an answer waits for the child": Mutant(
        "executors/pty.py",
        "            with suppress(OSError):  # full, or gone\n",
        "            os.set_blocking(self._pty.fd, True)\n            with suppress(OSError):\n",
        QUERIES,
    ),
    "an answer tears a message": Mutant(
        "executors/pty.py", "        if self._writers:\n", "        if False:\n", QUERIES
    ),
    "nobody answers": Mutant("executors/pty.py", "if answers and self._answer:", "if False:", QUERIES),
    "a screen's bytes are lines": Mutant(
        "sansio/text.py", "            if not screen:\n", "            if True:\n", REDRAW
    ),
    "a screen is for ever": Mutant("sansio/redraw.py", "if of._quiet >= LAPSE:", "if False:", REDRAW),
    "a clear is a screen": Mutant(
        "sansio/redraw.py", "self.home = match.start()\n", "self._enter(match.start())\n", REDRAW
    ),
    "what is undecided grows": Mutant(
        "sansio/redraw.py", "            if end - self.home <= _HELD:\n", "            if True:\n", REDRAW
    ),
    "each screen of a child is told": Mutant(
        "sansio/text.py", "if not row.marked <= time < row.marked + SCREEN_MARK_EVERY:", "if True:", REDRAW
    ),
    "saved cursors pile up": Mutant(
        "sansio/cells.py",
        "        self.savepoints.clear()\n        super().save_cursor()",
        "        super().save_cursor()",
        SCREEN,
    ),
    "a letter takes any number of accents": Mutant(
        "sansio/cells.py", "if len(cell.data) < _JOINED:", "if True:", SCREEN
    ),
    "pyte's exceptions come out": Mutant(
        "sansio/emulator.py", "except Exception:", "except ZeroDivisionError:", SCREEN
    ),
    "a clear makes all rows new": Mutant("sansio/screen.py", "if cells.cleared:", "if False:", SCREEN),
    "a spinner makes a row new": Mutant(
        "sansio/screen.py", "        if not final:\n", "        if False:\n", SCREEN
    ),
    "what scrolled off is not told": Mutant(
        "sansio/screen.py", "            if text and not is_given(text):", "            if False:", SCREEN
    ),
    "a screen takes the floor": Mutant(
        MERGER, "if line.size >= LINE_HOLD and self._draws(port):", "if False:", SCREENS
    ),
    "a screen that never pauses is never seen": Mutant(
        "engine/screens.py", "        merger.urgent = _begins_in_tail\n", "", SCREENS
    ),
    "what can't be followed piles up": Mutant(
        "engine/screens.py", "        if self.size > limit:\n", "        if False:\n", SCREENS
    ),
    "a view that fails takes the run with it": Mutant(
        "engine/screens.py", "            except Exception:", "            except ZeroDivisionError:", SCREENS
    ),
    "a view that hangs holds the end": Mutant(
        "engine/services.py",
        "trio.move_on_after(_LAST_ROWS, shield=True)",
        "trio.CancelScope(shield=True)",
        SCREENS,
    ),
    "the last rows are not waited for": Mutant(
        OPENING, "                    await aggregator._services.finish_screens()\n", "", SCREENS
    ),
    "a screen that was left takes what it had along": Mutant(
        "engine/screens.py", "        if last is None:\n", "        if True:\n", SCREENS
    ),
    "an attempt draws on the last one's terminal": Mutant(
        "engine/screens.py", "            view.terminal = None\n", "", SCREENS
    ),
    "what fired at the prompt fires again": Mutant(
        MATCHING, "            self._lines.consumed = prompt.end\n", "            pass\n", RULE_TESTS
    ),
    "a prompt drawn again is answered again": Mutant(
        MATCHING, "        self._answered = prompt.text\n", "", RULE_TESTS
    ),
    "a prompt needn't stand": Mutant(
        RULES, "if now >= self._changed + self._rule.settle else None", "if True else None", RULE_TESTS
    ),
    "a quoted menu is answered": Mutant(
        MATCHING, "if found is None or text[found.end - base :].strip():", "if found is None:", PRESET_TESTS
    ),
    "a silence fires at each look": Mutant(
        RULES, "        self._idle_done = True\n", "        pass\n", RULE_TESTS
    ),
    "no progress fires at each look": Mutant(
        RULES, "        self._progress_done = True\n", "        pass\n", RULE_TESTS
    ),
    "a blank begins an episode": Mutant(RULES, "if text and not text.isspace():", "if text:", RULE_TESTS),
    "no cooldown": Mutant(RULES, "            self._held_until = now + rule.cooldown\n", "", RULE_TESTS),
    "cooldown from the decision, not the attempt": Mutant(
        RULES, "        self._held_until = now + self._rule.cooldown\n", "", RULE_TESTS
    ),
    "a reply that triggers itself goes on for ever": Mutant(
        RULES, "        self._attempts += 1\n", "", RULE_TESTS
    ),
    "no veto": Mutant(
        RULES, "if rule.unless is not None and rule.unless.search(", "if None is not (", RULE_TESTS
    ),
    "a suppression is told at each look": Mutant(
        RULES, "        if last is not None and now", "        if False and now", RULE_TESTS
    ),
    "^ matches where a window begins": Mutant(
        MATCHING, "origin = max(0, self._next - 1)", "origin = self._next", RULE_TESTS
    ),
    "$ matches where a window ends": Mutant(MATCHING, "if defer is not None and", "if False and", RULE_TESTS),
    "an open line is searched at each piece": Mutant(
        MATCHING,
        "            self.unsearched = True\n",
        "            self.unsearched = True; self.prompt()\n",
        RULE_TESTS,
    ),
    "what was written before a restart counts after it": Mutant(
        RULES, "        self._matcher.reset()\n", "", RULE_TESTS
    ),
    "an escape is a key": Mutant(
        "sansio/keys.py", "\\x0b-\\x1f", "\\x0b-\\x1a\\x1c-\\x1f", ("sansio/test_keys.py",)
    ),
    "any marked choice is agreed to": Mutant(PRESETS, '"❯ 1\\\\. Yes"', '"[❯ ]+1\\\\. Yes"', PRESET_TESTS),
    "dangerous commands are agreed to": Mutant(
        PRESETS, 'f"{unless}|{_PASSWORD}" if unless else _PASSWORD', "_PASSWORD", PRESET_TESTS
    ),
    "a fourth choice of an agent is not known": Mutant(
        PRESETS, 'rf"(?:{also}{_END}){{0,2}}{no}"', 'rf"(?:{also}{_END})?{no}"', PRESET_TESTS
    ),
    "an apostrophe is taken for a frame": Mutant(
        PRESETS, '_IN: Final = r"(?:(?!│)[^\\n])"', '_IN: Final = r"[^\\n│]"', PRESET_TESTS
    ),
    "a prompt that stands confirms a key": Mutant(
        ACTIONS,
        'return fired.match not in "\\n".join(terminal.text())',
        "return True",
        ("test_interventions_rules.py",),
    ),
    "a prompt that has gone confirms nothing": Mutant(
        EVIDENCE, ">= GONE_FOR else None", ">= 1e9 else None", ("test_interventions_rules.py",)
    ),
    "an unknown menu is not told": Mutant(
        PRESETS, "return [*answers, other]", "return answers", PRESET_TESTS
    ),
    "a message is typed into a menu": Mutant(
        PRESETS,
        '_NOT_NOW: Final = rf"(?:{_WAITING}(?:\\s|│)*\\Z)|{_PASSWORD}"',
        "_NOT_NOW = _PASSWORD",
        PRESET_TESTS,
    ),
    "a rule may be given only once": Mutant(
        "cli/words.py", "given.get(name, []) + read_value if", "read_value if", ("cli/test_rules.py",)
    ),
    "a second list of secrets replaces the first": Mutant(
        "cli/words.py", "given.get(name, []) + read_value if", "read_value if", ("cli/test_secrets.py",)
    ),
    "1: Enter comes with the text": Mutant(
        WRITING,
        "                await trio.sleep(ENTER_PAUSE)\n",
        "                pass\n",
        sent("1_enter_is_a_write_of_its_own"),
    ),
    "1: a text follows Enter at once": Mutant(
        WRITING,
        "        await trio.sleep_until(inbox.free_at)\n",
        "",
        sent("a_message_is_atomic"),
    ),
    "1: lines are pasted where nobody wants pastes": Mutant(
        WRITING,
        "if mode.bracketed_paste and",
        "if",
        sent("1_several_lines_are_typed_where_it_does_not"),
    ),
    "2: escapes in a text are keys": Mutant(
        WRITING, "neutralise(self.text)", "self.text", sent("2_no_escape_comes_before_enter")
    ),
    "3, 4: no second look at a veto": Mutant(
        ACTIONS,
        "if rule.unless is not None and",
        "if False and",
        ruled("a_veto_that_comes_up_before_it_is_sent_holds"),
    ),
    "4: no second look before sending": Mutant(
        ACTIONS,
        "if stood and watched.spoken != spoken",
        "if False",
        ruled(
            "4_it_is_looked_at_once_more_at_the_moment_of_sending", "what_was_confirmed_too_late_is_not_sent"
        ),
    ),
    "6: an echo is activity": Mutant(
        MERGER,
        "or _speaks(echo, data, time, self._log.next - 1)",
        "or True",
        sent("6_the_terminals_echo_is_no_activity"),
    ),
    "6: single keys are activity": Mutant(
        "engine/child.py",
        "                expect_typed(self, data)\n",
        "                pass\n",
        sent("6_nor_is_that_of_single_keys"),
    ),
    "7: sent again with the same receipt": Mutant(
        WRITING,
        "    if fate is not None:\n",
        "    if False:\n",
        sent("7_the_same_receipt_is_never_sent_twice"),
    ),
    "7: what waits in the terminal is taken for delivered": Mutant(
        EVIDENCE,
        "pending = executor.pending_input()",
        "pending = 0",
        sent("7_a_busy_child_is_not_said_to_have_taken_it"),
    ),
    "7: a text that is shown is taken for sent": Mutant(
        EVIDENCE,
        "self._expected.seen and (gone or not entered)",
        "self._expected.seen",
        sent("7_a_text_that_is_shown_and_not_sent_is_not_confirmed"),
    ),
    "8: two messages for one stall": Mutant(
        "engine/rulebook.py",
        "if entry.writes and watched.waits(now):",
        "if False:",
        ruled("8_two_rules_and_one_stall"),
    ),
    "9, 11: attempts are not counted": Mutant(
        ACTIONS,
        "        entry.state.attempted(self._clock())\n        if entry.writes",
        "        if entry.writes",
        ruled("9_a_burst_makes_no_burst_of_messages", "11_a_loop_ends"),
    ),
    "10, 11: an echo is new output for rules": Mutant(
        "engine/rulebook.py",
        "if echo is not None and event.cursor in echo.kept:",
        "if False:",
        ruled("6_its_own_message_does_not_end_the_silence", "11_the_echo_of_an_answer_is_no_question"),
    ),
    "13: one without input is written to": Mutant(
        WRITING,
        "    if not child._executor.writable:\n",
        "    if False:\n",
        sent("13_what_has_no_input_or_has_ended_is_refused_and_everyone_sees_it"),
    ),
    "14: a quoted prompt is answered": Mutant(
        "sansio/matching.py",
        'pattern if on in ("any", "line") else None',
        "pattern",
        ruled("14_a_prompt_that_is_only_quoted_is_not_answered"),
    ),
    "a line too long for the terminal is sent": Mutant(
        WRITING,
        "        if longest > LONGEST_LINE:\n",
        "        if False:\n",
        ("faults/test_interventions.py::test_T53_a_long_message_full_of_keys_comes_whole_or_is_refused",),
    ),
    "a password prompt is answered by anything": Mutant(
        WRITING,
        "if not message.secret and",
        "if False and",
        sent("a_password_prompt_is_answered_only_by_what_is_secret"),
    ),
    "rules don't wait for who types": Mutant(
        "engine/rulebook.py",
        "if typing > 0 and",
        "if False and",
        ruled("what_still_stands_when_they_have_stopped_is_answered"),
    ),
    "a stop does not overtake a restart": Mutant(
        "engine/ladder.py",
        "        child._again = False\n",
        "",
        sent("a_stop_overtakes_a_restart_and_what_has_ended_is_not_restarted"),
    ),
    "a wrap that was to come is forgotten": Mutant(
        REGION, "if self._column == self.columns and", "if False and", IN_REGION
    ),
    "no room is made for a footer": Mutant(
        REGION, "pieces.append(_make_room(count - had))", "pass", IN_REGION
    ),
    "the cursor stays in the footer": Mutant(
        REGION, "pieces += (_WRAP, _RESTORE)", "pieces += (_WRAP,)", IN_REGION
    ),
    "a footer is left behind": Mutant(
        REGION,
        "self._footer = []\n        return _WHOLE + _make_room(1) + _BELOW + SHOW_CURSOR\n\n    def resized",
        "self._footer = []\n        return _WHOLE + SHOW_CURSOR\n\n    def resized",
        IN_REGION,
    ),
    "the whole terminal scrolls": Mutant(
        REGION, 'b"\\x1b[1;%dr\\x1b[0m" % (self.rows - count)', 'b"\\x1b[0m"', IN_REGION
    ),
    "lines in the footer's place do not scroll up": Mutant(REGION, "_INDEX * count)", 'b"")', IN_REGION),
    "a size that changed is not taken in": Mutant(
        REGION,
        "        self.rows, self.columns = rows, columns\n        self._to_come = rows\n        if self._column:",
        "        self._to_come = rows\n        if self._column:",
        IN_REGION,
    ),
    "what is said while the terminal is taken is lost": Mutant(
        SINK, "self._spool.writelines(pieces)", "pass", IN_SINK
    ),
    "the terminal is not brought back": Mutant(
        SINK, "        finally:\n            self.close()\n", "        finally:\n", IN_SINK
    ),
    "the size is not asked before writing": Mutant(
        SINK,
        "if self._region.height:\n            self._follow_size()",
        "if False:\n            pass",
        IN_SINK,
    ),
    "a footer is drawn while sizes change": Mutant(
        SINK, "if trio.current_time() >= self._settled:", "if True:", IN_SINK
    ),
    "lines follow on a footer that may be of another size": Mutant(
        SINK, "if self._in_doubt and self._region.height:", "if False:", IN_SINK
    ),
    "half a drawing stands": Mutant(
        SINK, "self._rest = data[self._writer.progress - before :] + self._rest", "pass", IN_SINK
    ),
    "paused it writes on": Mutant(SINK, "while self._going_on is not None:", "while False:", IN_SINK),
    "nothing is left to the guardian": Mutant(SINK, "if words != self._words:", "if False:", IN_SINK),
    "an end is told before the last words": Mutant(
        "sinks/console.py", "while after >= self._position:", "while False:", IN_SINK
    ),
    "any figure is progress": Mutant(
        "sansio/progress.py", "        if moved:\n", "        if True:\n", ("sansio/test_progress.py",)
    ),
    "a figure is never forgotten": Mutant(
        "sansio/progress.py",
        "if now - self._seen <= STALE else",
        "if True else",
        ("sansio/test_progress.py",),
    ),
    "a filter looks at pieces of lines": Mutant(
        "sansio/linefilter.py", "len(line.held) > HELD", "len(line.held) > 0", ("sansio/test_linefilter.py",)
    ),
    "an open line is never filtered": Mutant(
        "sansio/linefilter.py", "self._end(event.child, shown)", "pass", ("sansio/test_linefilter.py",)
    ),
    "modes are left as they were set": Mutant(
        "terminal/keyboard.py",
        "                self._set(saved)\n",
        "                pass\n",
        (f"{KEYBOARD}a_crash_restores_the_modes",),
    ),
    "killed, the modes stay": Mutant(
        "terminal/keyboard.py",
        "        lastwords.leave_modes(0, termios.tcgetattr(self._descriptor), before)\n",
        "",
        (f"{KEYBOARD}killed_it_leaves_the_modes_as_they_were",),
    ),
    "it reads in the background": Mutant(
        "terminal/keyboard.py",
        "            return os.tcgetpgrp(self._descriptor) == self._group\n",
        "            return True\n",
        (f"{KEYBOARD}in_the_background_it_neither_stops_nor_reads",),
    ),
    "keys act within a line": Mutant(
        "terminal/keyboard.py",
        "    while not (typing or press.pasted) and press.text",
        "    while not press.pasted and press.text",
        (f"{KEYBOARD}help",),
    ),
    "an unknown name is guessed": Mutant(
        "terminal/messages.py",
        '    raise MessageError(f"there is no child {name!r}',
        "    if children:\n        return Message((children[0],), text)\n"
        '    raise MessageError(f"there is no child {name!r}',
        ("terminal/test_messages.py",),
    ),
    "a paste is typed": Mutant(
        "terminal/keys.py",
        "            self._pasting = True\n",
        "            pass\n",
        ("terminal/test_keys.py", f"{KEYBOARD}a_paste_is_one_message_and_no_keys"),
    ),
    "a message's control characters are keys": Mutant(
        "terminal/editor.py", ".translate(_VISIBLE)", "", ("terminal/test_editor.py",)
    ),
    "a child's questions reach the user's terminal": Mutant(
        "terminal/passing.py",
        "    if answered or keyboard or",
        "    if keyboard or",
        ("terminal/test_passing.py",),
    ),
    "a child leaves the screen of the view": Mutant(
        "terminal/passing.py",
        '_KEPT_MODES: Final = frozenset([*_OTHER_SCREEN, b"3"',
        '_KEPT_MODES: Final = frozenset([b"3"',
        ("terminal/test_passing.py", "terminal/test_attach.py::test_vim_in_full_and_back"),
    ),
    "after the view keys go on raw": Mutant(
        "terminal/attach.py",
        "        self._keyboard.set_raw(False)\n",
        "        pass\n",
        ("terminal/test_attach.py::test_a_repl_in_full_and_back",),
    ),
    "lines on stdin are sent before anybody is there": Mutant(
        "terminal/piped.py",
        "patient=True, ",
        "",
        (f"{KEYBOARD}lines_on_stdin_wait_for_who_is_to_come",),
    ),
    "another user's directory holds the sockets": Mutant(
        RUNTIME, "        if found.st_uid != os.geteuid():\n", "        if False:\n", IN_RUNTIME
    ),
    "a directory that others can open holds the sockets": Mutant(
        RUNTIME, "if stat.S_IMODE(found.st_mode) & 0o077:\n", "if False:\n", IN_RUNTIME
    ),
    "a link leads to the sockets": Mutant(
        RUNTIME, "os.O_DIRECTORY | os.O_NOFOLLOW", "os.O_DIRECTORY", IN_RUNTIME
    ),
    "a socket is found before it listens": Mutant(
        RUNTIME, "    begun = run_id + _BEGUN\n", "    begun = run_id + _ENDING\n", IN_RUNTIME
    ),
    "a file that is no socket is removed": Mutant(
        RUNTIME, "if stat.S_ISSOCK(begun.st_mode):", "if True:", IN_RUNTIME
    ),
    "tokens are read through a link": Mutant(
        RUNTIME, "os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK", "os.O_RDONLY | os.O_NONBLOCK", IN_RUNTIME
    ),
    "who may look on may steer": Mutant(
        "server/session.py",
        'if kind not in _VIEW and "control" not in self._rights:',
        "if False:",
        (f"{CONTROL}who_may_only_look_on_steers_nothing",),
    ),
    "who never reads stays": Mutant(
        "server/lines.py",
        "                if scope.cancelled_caught:\n",
        "                if False:\n",
        (f"{CONTROL}who_never_reads_is_cut_and_holds_nobody_up",),
    ),
    "a subscription comes back at its beginning": Mutant(
        "server/client.py",
        'self._position = message["cursor"]',
        "pass",
        (f"{CONTROL}a_cut_subscription_comes_back_with_its_cursor",),
    ),
    "wait looks only at what comes": Mutant(
        "cli/verb_wait.py",
        '    after = options.get("after", -1)\n',
        "    after = client.hello.cursor\n",
        ("cli/test_verbs.py::test_wait",),
    ),
    "who follows a quiet one hears nothing beside a busy one": Mutant(
        "server/feed.py",
        "if trio.current_time() >= due:",
        "if False:",
        ("cli/test_verbs.py::test_the_verbs_end_beside_a_busy_child",),
    ),
    "what is no longer held isn't told": Mutant(
        "cli/verb_logs.py",
        "start = -1 if after is None else after",
        "start = after",
        ("cli/test_verbs.py::test_what_is_no_longer_held_is_told",),
    ),
    "the size stays as who was attached had it": Mutant(
        "server/session.py",
        "                child.resize(*size)\n",
        "                pass\n",
        ("cli/test_verbs.py::test_attach_to_a_child",),
    ),
    "a whole run attached to has no keys": Mutant(
        "cli/attach_run.py",
        "keys = _ALWAYS if self._editor else _ALWAYS | _KEYS",
        "keys = _ALWAYS",
        ("cli/test_verbs.py::test_a_run_is_steered_from_another_terminal",),
    ),
    "who looks at a run makes its terminals small": Mutant(
        "cli/attach_run.py",
        "async with self._again() as client:",
        "client = self._client\n                if True:",
        ("cli/test_verbs.py::test_a_run_is_steered_from_another_terminal",),
    ),
    "an agent's deltas and its whole message are shown both": Mutant(
        "sansio/agent_claude.py",
        "if shown and whole.startswith(shown):",
        "if False:",
        IN_AGENTS,
    ),
    "an agent's line that comes again is shown again": Mutant(
        "sansio/agent_claude.py", "if uuid is not None and self._seen(uuid):", "if False:", IN_AGENTS
    ),
    "an error that is called a success is one": Mutant(
        "sansio/agent_claude.py",
        'if not message.get("is_error") and subtype == "success":',
        'if subtype == "success":',
        IN_AGENTS,
    ),
    "an agent's line that is too long is kept whole": Mutant(
        AGENTS, "if self._cut or self._splitter.pending > LONGEST:", "if False:", IN_AGENTS
    ),
    "an agent's delta ends a line": Mutant(
        AGENTS, 'self._open = not data.endswith(b"\\n")', "self._open = False", IN_AGENTS
    ),
    "an agent's exit status is enough": Mutant(
        "executors/agent.py", "        if told.ok:\n", "        if True:\n", ("executors/test_agent.py",)
    ),
    "a steered agent is never told that it may end": Mutant(
        "executors/adapted.py",
        "                self._on_end()\n",
        "                pass\n",
        ("executors/test_agent.py::test_it_is_steered_while_it_works",),
    ),
    "whoever writes the marker asks for children": Mutant(
        PLAN, "    if not known:\n", "    if False:\n", IN_PLAN
    ),
    "a child's own prompt asks for children": Mutant(
        PLAN, "the two words {self.first} and {self.second}", "the word {self.word}", IN_PLAN
    ),
    "depth has no bound": Mutant(RECURSIVE, "        if below > 0:\n", "        if True:\n", IN_PATTERNS),
    "the total has no bound": Mutant(RECURSIVE, "if self._count() + more > TOTAL:", "if False:", IN_PATTERNS),
    "a request that is said again counts again": Mutant(
        RECURSIVE, "if tasks is None or tasks in member.asked:", "if tasks is None:", IN_PATTERNS
    ),
    "a sequence goes on after a failure": Mutant(
        PATTERNS, "(not completed.ok and not self._keep_going)", "False", IN_PATTERNS
    ),
    "a child whose worktree came after the stop is started": Mutant(
        PATTERNS,
        "if not self._may_start():",
        "if False:",
        ("spawn/test_worktree.py::test_who_is_stopped_while_git_works_gets_no_child",),
    ),
    "a prompt may be an option": Mutant(
        "spawn/presets.py",
        """        return f" {prompt}"\n""",
        "        return prompt\n",
        ("spawn/test_presets.py",),
    ),
    "aider breaks its lines": Mutant(
        "spawn/presets.py",
        """            env["COLUMNS"] = str(self.columns)\n""",
        "            pass\n",
        ("spawn/test_presets.py",),
    ),
    "a worktree with commits is removed": Mutant(
        "spawn/worktree.py", "if changes or commits:", "if changes:", ("spawn/test_worktree.py",)
    ),
    "a page that is full begins its last block anew": Mutant(
        MCP_PAGE,
        "self.position = cursor_of(event.cursor) + offset + taken",
        "self.position = cursor_of(event.cursor)",
        IN_MCP_PAGE,
    ),
    "a block that a page has cut is left": Mutant(
        MCP_PAGE, "            if offset + taken < len(event.data):\n", "            if False:\n", IN_MCP_PAGE
    ),
    "a page ends within a character": Mutant(MCP_PAGE, "data[end] & 0xC0 == 0x80", "False", IN_MCP_PAGE),
    "a last line is not ended": Mutant(MCP_PAGE, '.end() + b"\\n"', ".end()", IN_MCP_PAGE),
    "who waits for output is not told of the end": Mutant(
        "spawn/mcp_calls.py",
        "                if not all(each.ended.is_set() for each in running):\n",
        "                if running:\n",
        MCP_OUTPUT,
    ),
    "a call that is cancelled leaves its agents": Mutant(
        "spawn/mcp_calls.py",
        "                self._spawns.stop(spawned)\n",
        "",
        (f"{IN_MCP}cancelling_a_call_stops_its_tasks",),
    ),
    "a spawn that is interrupted goes on with the next": Mutant(
        SPAWNS,
        "            spawned.stopping = True\n        for child in children:",
        "            pass\n        for child in children:",
        (f"{IN_MCP}a_spawn_is_interrupted_as_a_whole_and_no_more_of_it_begins",),
    ),
    "a second interrupt is as the first": Mutant(
        SPAWNS,
        "            self._interrupted.add(child.id)\n",
        "",
        (f"{IN_MCP}one_can_be_sent_to_and_interrupted",),
    ),
    "what prints gets on the wire": Mutant(
        STDIO, "        os.dup2(2, 1)\n", "", (f"{MCP_COMMAND}nothing_else_gets_on_the_wire",)
    ),
    "a child reads the wire": Mutant(
        STDIO, "        os.dup2(null, 0)\n", "", (f"{MCP_COMMAND}nothing_else_gets_on_the_wire",)
    ),
    "what is no message goes unanswered": Mutant(
        STDIO,
        "            await self._refuse_malformed(line)\n",
        "            pass\n",
        (f"{MCP_COMMAND}what_is_no_message_is_answered_and_the_rest_read_on",),
    ),
    "a message that is too long is kept whole": Mutant(
        STDIO,
        "            if size > self._longest:  # only its ends are of use\n",
        "            if False:\n",
        (f"{MCP_COMMAND}a_message_that_is_too_long_takes_no_memory",),
    ),
    "a server in servers spawns without end": Mutant(
        "cli/mcp.py",
        "    if within < _DEEPEST:\n",
        "    if True:\n",
        (f"{MCP_COMMAND}agents_of_agents_of_agents_spawn_none",),
    ),
    "any host will do": Mutant(GATE, "if host not in self._hosts and host != local:", "if False:", IN_GATE),
    "two hosts are one": Mutant(GATE, "if len(hosts) != 1 or", "if not hosts or", IN_GATE),
    "a forwarded name is ours over TLS, and so is this machine's": Mutant(
        GATE, "return host in self._others\n", "return host in self._hosts\n", IN_GATE
    ),
    "the second token is compared only if the first is wrong": Mutant(
        GATE,
        "control = hmac.compare_digest(given, self._control)",
        "control = not view and hmac.compare_digest(given, self._control)",
        IN_GATE,
    ),
    "who may look on may do all": Mutant(
        GATE, '("view",) if view else ()', '("view", "control") if view else ()', IN_GATE
    ),
    "one of two tokens opens": Mutant(GATE, "if len(tokens) == 1 else", "if tokens else", IN_GATE),
    "the gate stands behind the page": Mutant(
        LISTENER,
        "            if refusal is not None:\n",
        '            if refusal is not None and head.path == "/ws":\n',
        (f"{FRONT}the_gate_stands_before_page_and_websocket",),
    ),
    "newcomers without end": Mutant(
        LISTENER,
        "if len(self._newcomers) > NEWCOMERS:",
        "if False:",
        (f"{FRONT}of_too_many_newcomers_the_oldest_goes",),
    ),
    "viewers without end": Mutant(
        LISTENER,
        "elif len(self._viewers) >= self._most:",
        "elif False:",
        (f"{FRONT}of_too_many_viewers_the_newest_is_told",),
    ),
    "no descriptors, and no pause": Mutant(
        LISTENER,
        "await trio.sleep(_PAUSE)",
        "await trio.sleep(0)",
        ("faults/test_server.py::test_T13_no_descriptors_at_accept",),
    ),
    "a head may take for ever": Mutant(
        "server/http.py",
        "with trio.fail_after(HEAD_TIME):",
        "with trio.fail_after(1000):",
        (f"{FRONT}who_says_nothing_is_cut",),
    ),
    "who breaks the protocol is not told": Mutant(
        STREAM,
        "if self.farewell is not None and self._last != _CLOSE_FRAME:",
        "if False:",
        (f"{WEBSOCKET}codes",),
    ),
    "nobody loses patience with a viewer": Mutant(
        STREAM,
        "with trio.move_on_after(PATIENCE):",
        "with trio.move_on_after(1000):",
        (f"{WEBSOCKET}who_takes_nothing_is_cut_and_holds_nobody_up",),
    ),
    "a viewer's patience is for the whole frame": Mutant(
        STREAM,
        "            self._last = _TEXT_FRAME\n            await self._send_parts",
        "            self._last = _TEXT_FRAME\n            with trio.move_on_after(PATIENCE):\n"
        "             await self._send_parts",
        ("server/test_stream.py",),
    ),
    "what comes with the request is lost": Mutant(
        STREAM,
        "self._held += rest",
        "pass",
        (f"{WEBSOCKET}who_does_not_wait_for_the_answer",),
    ),
    "nobody is missed": Mutant(
        "server/websocket.py",
        "nursery.start_soon(websocket._ping, nursery)",
        "pass",
        (f"{WEBSOCKET}who_vanishes_is_found_by_a_ping",),
    ),
    "who is slow is missed": Mutant(
        "server/websocket.py",
        "if self._stream.taken_at < trio.current_time() - PONG_WITHIN / 2:",
        "if True:",
        (f"{WEBSOCKET}who_takes_a_little_now_and_then_is_not_missed",),
    ),
    "a gap is passed over": Mutant(
        FEED,
        "                line = encode(event)\n",
        '                line = b"" if hasattr(event, "to_cursor") else encode(event)\n',
        (f"{WEBSOCKET}who_has_fallen_out_of_the_history_is_told_what_is_missing",),
    ),
    "lines of one cursor are another's": Mutant(
        "server/host.py",
        "line = self._lines.get(event.cursor)",
        "line = self._lines.get(event.cursor // 2 * 2)",
        (f"{WEBSOCKET}two_viewers_see_the_same",),
    ),
    "viewers get what is left when the journal is closed": Mutant(
        "engine/services.py",
        "                    for farewell in self.farewells:\n                        nursery.start_soon(farewell)\n"
        "                if self._archive is not None:\n                    self._archive.close()\n",
        "                    if self._archive is not None:\n                        self._archive.close()\n"
        "                    for farewell in self.farewells:\n                        nursery.start_soon(farewell)\n",
        ("test_pace.py::test_at_the_end_of_a_run_its_journal_can_still_be_read",),
    ),
    "the page takes output for markup": Mutant(
        f"{WEB}ansi.js", "    element.textContent = text;\n", "    element.innerHTML = text;\n", INERT
    ),
    "the page lets text turn round": Mutant(
        f"{WEB}ansi.js", "\\\\u2028-\\\\u202e", "\\\\u2028-\\\\u2029", INERT
    ),
    "the page shows controls as they are": Mutant(
        f"{WEB}ansi.js",
        "      pending += visible(match[0]);\n",
        "      pending += match[0];\n",
        (f"{IN_WEB}colours_are_what_the_terminal_shows",),
    ),
    "the page forgets the beginning of a line": Mutant(f"{WEB}rows.js", "    row.join(tail);\n", "", SEAMS),
    "the page goes on with a line that has ended": Mutant(
        f"{WEB}rows.js", "assembler.open.get(child) ?? null", "assembler.open.get(child)", SEAMS
    ),
    "the page goes on from where the run is, not from where it was": Mutant(
        f"{WEB}main.js",
        '"subscribe", { after: this.run.cursor }',
        '"subscribe", { after: data.cursor }',
        (f"{IN_WEB}resumes_without_gap_or_duplicate",),
    ),
    "the page moves what is being read": Mutant(
        f"{WEB}source.js",
        "      this.attached = false;\n      return;\n",
        "",
        (f"{IN_WEB}a_flood_is_bounded_and_one_can_read_back",),
    ),
    "the row that was drawn last never comes": Mutant(
        "engine/screens.py",
        "            view.changed = view.settled\n",
        "            view.changed = -1.0\n",
        ("test_screens.py::test_what_is_drawn_last_is_shown_wherever_it_falls",),
    ),
    "a burst can't be scrolled at once": Mutant(
        f"{WEB}list.js",
        " !== this.tall : was)",
        " !== this.tall : 0)",
        (f"{IN_WEB}a_burst_can_be_scrolled_at_once",),
    ),
    "times are too faint to be read": Mutant(
        f"{WEB}style.css",
        "color: var(--dim); margin-right",
        "color: var(--dim); opacity: 0.75; margin-right",
        (f"{IN_WEB}dark_and_light_can_be_read",),
    ),
}


def run(name: str) -> str:
    """Run one mutant; return `caught`, why it was skipped, or what is wrong."""
    mutant = MUTANTS[name]
    if mutant.file.startswith(WEB) and shutil.which("chromium") is None:
        return "skipped: chromium is not installed"
    source = (ROOT / "axiom_trio" / mutant.file).read_text()
    if source.count(mutant.old) != 1:
        return f"STALE: its text is found {source.count(mutant.old)} times in {mutant.file}"
    with tempfile.TemporaryDirectory(prefix="axiom-mutant-") as folder:
        ignore = shutil.ignore_patterns("__pycache__", ".hypothesis")
        for part in ("axiom_trio", "tests"):
            shutil.copytree(ROOT / part, Path(folder, part), ignore=ignore)
        shutil.copy(ROOT / "pyproject.toml", folder)
        Path(folder, "axiom_trio", mutant.file).write_text(source.replace(mutant.old, mutant.new))
        environment = {
            **os.environ,
            "PYTHONPATH": folder,
            "PYTHONDONTWRITEBYTECODE": "1",
            "AXIOM_MUTANT": name,
        }
        tests = [f"tests/{test}" if "/" in test else f"tests/engine/{test}" for test in mutant.tests]
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=line", "-p", "no:cacheprovider", *tests]
        try:
            ended = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, timeout=LIMIT, check=False
            )
        except subprocess.TimeoutExpired:
            return "caught (the tests hang)"
        finally:
            _end_what_is_left(name)
        if ended.returncode == 1:
            return "caught"
        if ended.returncode == 0:
            return "SURVIVED"
        return f"BROKEN: the tests did not run\n{ended.stdout.decode()[-2000:]}"


def _end_what_is_left(name: str) -> None:
    """What a mutant has kept alive goes: it's known by its environment."""
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if f"AXIOM_MUTANT={name}".encode() in environ.read_bytes().split(b"\0"):
                os.kill(int(environ.parent.name), signal.SIGKILL)


def main(arguments: list[str]) -> int:
    """Run the mutants named, or all; return the exit status."""
    if arguments == ["--list"]:
        print(*MUTANTS, sep="\n")
        return 0
    unknown = [name for name in arguments if name not in MUTANTS]
    if unknown:
        print(f"no such mutant: {', '.join(unknown)}; --list shows all", file=sys.stderr)
        return 2
    names = arguments or list(MUTANTS)
    failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, result in zip(names, pool.map(run, names), strict=True):
            print(f"{name}: {result}", flush=True)
            failed += not result.startswith(("caught", "skipped"))
    print(f"{len(names) - failed} of {len(names)} mutants caught or skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
