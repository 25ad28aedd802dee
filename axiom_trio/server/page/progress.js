// How far a child is, as it says itself; never a guess. The rules are those of the terminal's rows: a figure
// counts in a line marked [PROGRESS], in an open row that is being redrawn, or where it was seen to move.

import { plain, settled } from "./ansi.js";

const NUMBER = "\\d{1,12}(?:\\.\\d{1,6})?";
const UNIT = "(?: ?([kKMGT]?i?B))?";
const PERCENT = new RegExp(`(?<![\\w.,/+-])(${NUMBER}) ?%(?!\\w)`, "g");
const RATIO = new RegExp(
  `(?<![\\w.,/:-])(${NUMBER})${UNIT}(?: ?/ ?| of )(${NUMBER})${UNIT}(?![\\w/:-]|\\.\\d)`,
  "g",
);
const IN_BRACKETS = /^\s*[[(]\s*([^[\]()]{1,40}?)\s*[\])](?=\s|$)/;
const AT_END = /\s\[\s*([^[\]()]{1,40}?)\s*\]\s*$/;
const POWERS = { k: 1, K: 1, M: 2, G: 3, T: 4 };
const STALE = 10_000; // ms

function factor(unit) {
  if (!unit) return 1;
  return (unit.includes("i") ? 1024 : 1000) ** (POWERS[unit[0]] ?? 0);
}

function figure(text) {
  for (const match of [...text.matchAll(PERCENT)].reverse())
    if (Number(match[1]) <= 100) return { done: Number(match[1]), total: 100 };
  for (const [, done, unit, total, totalUnit] of [...text.matchAll(RATIO)].reverse()) {
    if (unit && !totalUnit) continue;
    const a = Number(done) * factor(unit || totalUnit);
    const b = Number(total) * factor(totalUnit);
    if (a <= b && b > 0) return { done: a, total: b };
  }
  return null;
}

/** Follows the progress of one child. */
export class Progress {
  #fraction = null;
  #seen = 0;
  #candidate = null;

  /** Look at the newest row that a child has written. */
  look(row) {
    const text = row.text.slice(-4096);
    const marked = text.indexOf("[PROGRESS]");
    if (marked >= 0) return this.#count(figure(plain(text.slice(marked + 10))));
    if (!/[\d%]/.test(text)) return undefined;
    const shown = settled(text);
    if (row.open) {
      if (text.includes("\r")) return this.#count(figure(shown));
      return this.#compare("row", figure(shown));
    }
    for (const [where, pattern] of [
      ["begin", IN_BRACKETS],
      ["end", AT_END],
    ]) {
      const match = pattern.exec(shown);
      const found = match && figure(match[1]);
      if (found) return this.#compare(where, found);
    }
    return undefined;
  }

  /** 0 to 1; null if it does not say, or has ceased to. */
  get fraction() {
    return performance.now() - this.#seen <= STALE ? this.#fraction : null;
  }

  #count(found) {
    if (!found) return;
    this.#fraction = found.done / found.total;
    this.#seen = performance.now();
  }

  #compare(where, found) {
    if (!found) return;
    const before = this.#candidate;
    const same = before !== null && before.where === where && before.total === found.total;
    const moved = same && (before.moved || before.done !== found.done);
    this.#candidate = { where, ...found, moved };
    if (moved) this.#count(found);
  }
}
