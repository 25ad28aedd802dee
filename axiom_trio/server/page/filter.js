// What is to be seen: which children, kinds and text.

import { plain } from "./ansi.js";

export const KINDS = ["output", "error", "intervention", "progress", "control"];
const SEARCHED = 16_384; // characters of a line

export class Filter {
  constructor() {
    this.hidden = new Set(); // ids of children
    this.solo = null; // the only child that is shown
    this.kinds = new Set(KINDS);
    this.text = "";
    this.regex = false;
    this.error = "";
    this.version = 0;
    this.set({});
  }

  /** Change some of it. */
  set(changes) {
    Object.assign(this, changes);
    this.error = "";
    this.pattern = null;
    if (this.text) {
      const source = this.regex ? this.text : this.text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
      try {
        this.pattern = new RegExp(source, /\p{Lu}/u.test(this.text) ? "" : "i"); // capitals are meant
      } catch (error) {
        this.error = error.message;
      }
    }
    this.version += 1;
  }

  get everything() {
    return !this.hidden.size && this.solo === null && !this.pattern && this.kinds.size === KINDS.length;
  }

  shows(child) {
    return this.solo === null ? !this.hidden.has(child) : this.solo === child;
  }

  /** Whether a row passes; what was skipped always does. */
  test(row, anyChild = false) {
    if (row.kind === "gap") return true;
    if (!this.kinds.has(row.kind)) return false;
    if (!anyChild && row.child !== null && !this.shows(row.child)) return false;
    if (this.pattern === null) return true;
    const text = row.text.length > SEARCHED ? row.text.slice(0, SEARCHED) : row.text;
    return this.pattern.test(plain(text));
  }
}

/** The rows of a source that pass, found in slices: a cursor that goes both ways. */
export class Selection {
  constructor(rows, test) {
    this.rows = rows;
    this.test = test;
    this.reset();
  }

  reset() {
    this.found = [];
    this.places = [];
    this.head = 0;
    this.generation = this.rows.generation;
    this.edits = this.rows.edits;
    this.low = this.next = this.rows.end; // what lies between has been looked at
    this.shifted = 0;
  }

  get length() {
    return this.found.length - this.head;
  }

  at(index) {
    return this.found[this.head + index];
  }

  /** Whether rows are there that were not looked at. */
  get behind() {
    return this.next < this.rows.end || this.low > this.rows.first || this.generation !== this.rows.generation || this.edits !== this.rows.edits;
  }

  /** Look on until a time. `shifted` says then by how many the first ones moved (negative: they went). */
  pump(deadline, until = Infinity) {
    this.shifted = 0;
    if (this.generation !== this.rows.generation || this.edits !== this.rows.edits) this.reset();
    this.#dropped();
    const end = Math.min(this.rows.end, until);
    while (this.next < end && performance.now() < deadline) {
      for (const stop = Math.min(end, this.next + 2000); this.next < stop; this.next += 1) {
        const row = this.rows.at(this.next);
        if (this.test(row)) {
          this.found.push(row);
          this.places.push(this.next);
        }
      }
    }
    while (this.low > this.rows.first && performance.now() < deadline) this.#back();
    return !this.behind;
  }

  #back() {
    const stop = Math.max(this.rows.first, this.low - 5000);
    const found = [];
    const places = [];
    for (let place = stop; place < this.low; place += 1) {
      const row = this.rows.at(place);
      if (this.test(row)) {
        found.push(row);
        places.push(place);
      }
    }
    this.low = stop;
    this.shifted += found.length;
    this.found = found.concat(this.head ? this.found.slice(this.head) : this.found);
    this.places = places.concat(this.head ? this.places.slice(this.head) : this.places);
    this.head = 0;
  }

  #dropped() {
    const { first, end } = this.rows;
    if (this.next < first) this.next = this.low = first;
    if (this.low < first) this.low = first;
    const before = this.head;
    while (this.head < this.places.length && this.places[this.head] < first) this.found[this.head++] = undefined;
    this.shifted -= this.head - before;
    if (this.head > 50_000 && this.head * 2 > this.found.length) {
      this.found = this.found.slice(this.head);
      this.places = this.places.slice(this.head);
      this.head = 0;
    }
    if (this.next > end) {
      this.next = end;
      this.low = Math.min(this.low, end);
      while (this.places.length > this.head && this.places.at(-1) >= end) {
        this.places.pop();
        this.found.pop();
      }
    }
  }
}
