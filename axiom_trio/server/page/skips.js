// What was too much to be shown, as rows that say how much it was.

import { markRow } from "./row.js";
import { lines, size } from "./words.js";

const MOST = 200_000; // lines at once
const RATE = 250; // lines a ms: more than that nobody sees, and the browser would be busy with nothing else

export class Skips {
  #newest = new Map(); // source → its last row of these
  #room = MOST;
  #then = 0;

  /** Whether a block of so many lines is too much just now. */
  isTooMuch(lines) {
    const now = performance.now();
    this.#room = Math.min(MOST, this.#room + (now - this.#then) * RATE);
    this.#then = now;
    if (lines > this.#room) return true;
    this.#room -= lines;
    return false;
  }

  /** Say in a source that a block is not shown. */
  add(source, child, cursor, data) {
    if (!source.attached) {
      source.missed += data.lines;
      return;
    }
    const { rows } = source;
    let skipped = this.#newest.get(source);
    if (skipped === undefined || rows.at(rows.end - 1) !== skipped.row) {
      skipped = { row: markRow("gap", child, "", NaN, cursor, "gap"), lines: 0, bytes: 0 };
      this.#newest.set(source, skipped);
      source.push(skipped.row);
    }
    skipped.lines += data.lines;
    skipped.bytes += data.text.length;
    const { row } = skipped;
    const before = row.text.length;
    row.text = `⋯ skipped: ${lines(skipped.lines)} (${size(skipped.bytes)}), too fast to be shown`;
    row.version += 1;
    source.grown(row.text.length - before);
  }

  clear() {
    this.#newest.clear();
  }
}
