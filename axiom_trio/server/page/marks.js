// Events that are no output, as rows of the stream.

import { harmless } from "./ansi.js";
import { markRow } from "./row.js";
import { duration, lines, size } from "./words.js";

/** The row that shows an event; null if none does. */
export function markOf(type, data, cursor) {
  const { taskId: child = null, timestamp: time } = data;
  const row = (mark, text, kind) => markRow(mark, child, text, time, cursor, kind);
  switch (type) {
    case "started":
      return row("started", `▶ started${data.pid ? ` (pid ${data.pid})` : ""}`);
    case "complete": {
      const ok = data.exitCode === 0 && !data.error && !["timeout", "idle"].includes(data.reason);
      const how = data.error ?? (data.signal !== null ? `signal ${data.signal}` : `exit ${data.exitCode ?? "?"}`);
      const why = ["exit", "signal", "error"].includes(data.reason) ? "" : `, ${data.reason}`;
      const left = data.escaped?.length ? `; ${data.escaped.length} processes had left it` : "";
      const text = `${ok ? "✓" : "✗"} ${how}${why} after ${duration(data.duration)}, ${lines(data.lines)}${left}`;
      return row(ok ? "ok" : "failed", harmless(text));
    }
    case "restarting": {
      const how = data.error ?? (data.signal !== null ? `signal ${data.signal}` : `exit ${data.exitCode ?? "?"}`);
      const when = data.delay ? ` in ${duration(data.delay)}` : "";
      return row("restarting", harmless(`↻ ${how}; attempt ${data.attempt}${when}`));
    }
    case "idle":
      return row("idle", `⏸ silent for ${duration(data.idleTime)}`);
    case "allComplete":
      return row("all", `■ all ${data.completed} have ended, ${data.failed} of them failed`);
    case "gap":
      return markRow("gap", null, `⋯ skipped: ${lines(data.lines)} (${size(data.bytes)})`, NaN, cursor, "gap");
    case "intervention": {
      if (data.origin === "detected") return null; // the child's own line shows it
      const made = row("sent", harmless(data.text), "intervention");
      made.origin = data.rule ? `rule ${harmless(data.rule)}` : data.origin;
      made.receipt = data.receipt;
      return made;
    }
    case "delivery":
      if (data.state !== "suppressed") return null; // it shows at its message
      return row("suppressed", harmless(`⚠ rule ${data.rule ?? ""} did not send: ${data.reason}`), "intervention");
    default:
      return null;
  }
}
