// What is held of the output: rows, bounded, and how events become rows.

import { Rest, Row } from "./row.js";

const LONGEST = 1 << 20; // characters kept of a line
const REDRAWN = 1 << 14; // of one that is redrawn: only its last state is shown

/** A deque of rows, bounded in rows and characters. A row's place is a number that never changes. */
export class Rows {
  constructor(most = 200_000, mostChars = 8_000_000) {
    this.most = most;
    this.mostChars = mostChars;
    this.generation = 0;
    this.clear();
  }

  clear() {
    this.list = [];
    this.head = 0;
    this.first = 0;
    this.chars = 0;
    this.continued = new Map(); // child → its first row, if its beginning may come from history
    this.tails = new Map(); // child → its last row, if what comes next may go on with it; null: it has ended
    this.edits = 0;
    this.generation += 1;
  }

  get length() {
    return this.list.length - this.head;
  }

  get end() {
    return this.first + this.length;
  }

  get full() {
    return this.length > this.most || this.chars > this.mostChars;
  }

  at(place) {
    return this.list[place - this.first + this.head];
  }

  push(row) {
    if (row.continues) return this.#pushRest(new Rest(row));
    this.list.push(row);
    this.chars += row.text.length;
    return undefined;
  }

  /** What comes of a line whose beginning is in history: it may be here, come later, or never. */
  #pushRest(row) {
    const tail = this.tails.get(row.child);
    this.tails.delete(row.child);
    this.chars += row.text.length;
    if (!tail) {
      if (tail === undefined) this.continued.set(row.child, row);
      else row.continues = false;
      this.list.push(row);
      return;
    }
    row.join(tail);
    if (row.continues) this.continued.set(row.child, row);
    const at = this.list.lastIndexOf(tail);
    if (at >= this.head) this.list[at] = row;
    else this.list.push(row); // its beginning has been dropped
    this.edits += 1; // who has looked at these rows has to do it again
  }

  /** What comes next of this open row comes as a row of its own: it's to be joined. */
  expect(row) {
    for (let at = this.list.length - 1; at >= this.head; at -= 1)
      if (this.list[at] === row || this.list[at].live === row) {
        this.tails.set(row.child, this.list[at]);
        return;
      }
  }

  grown(by) {
    this.chars += by;
  }

  /**
   * Put older rows before all others.
   * @param {Assembler} assembler What made them.
   * @param {Assembler} live What makes those that come.
   */
  unshift(rows, assembler, live) {
    for (const child of assembler.known)
      if (live.unsure(child) && !this.tails.has(child)) this.tails.set(child, assembler.open.get(child) ?? null);
    for (const [child, row] of [...this.continued]) {
      if (!assembler.known.has(child)) continue;
      this.continued.delete(child);
      const begun = assembler.open.get(child);
      if (begun === undefined) {
        row.continues = false;
        continue;
      }
      assembler.open.delete(child);
      rows.splice(rows.lastIndexOf(begun), 1);
      this.chars += begun.text.length;
      row.join(begun);
      if (row.continues) this.continued.set(child, row);
    }
    for (const row of rows) {
      this.chars += row.text.length;
      if (row.continues) this.continued.set(row.child, row);
    }
    this.list = rows.concat(this.head ? this.list.slice(this.head) : this.list);
    this.head = 0;
    this.first -= rows.length;
  }

  /** Drop the oldest, events as a whole; returns the cursor from which rows are held, or null if none went. */
  trimFront() {
    if (!this.full) return null;
    let cursor = -1;
    while (this.length > 1 && (this.full || this.list[this.head].cursor === cursor)) {
      const row = this.list[this.head];
      cursor = row.cursor;
      this.chars -= row.text.length;
      if (row.continues && this.continued.get(row.child) === row) this.continued.delete(row.child);
      this.list[this.head] = undefined;
      this.head += 1;
      this.first += 1;
    }
    if (this.head > 50_000 && this.head * 2 > this.list.length) {
      this.list = this.list.slice(this.head);
      this.head = 0;
    }
    return this.list[this.head].cursor;
  }

  /** Drop the newest. */
  trimBack() {
    while (this.full && this.length > 1) this.chars -= this.list.pop().text.length;
  }
}

/** Makes rows of blocks of output, in order: a line that is cut over blocks is one row. */
export class Assembler {
  constructor() {
    this.open = new Map(); // child → its row that has not ended
    this.known = new Set(); // children of which we know whether a line was open
    this.allKnown = false;
    this.cut = new Set(); // children whose open row was given up
  }

  /** Whether a child's next block may go on with a line of which we have nothing. */
  unsure(child) {
    return this.cut.has(child) || !(this.allKnown || this.known.has(child));
  }

  /** Give a child's open row up: the next block begins another, which continues it. */
  giveUp(child) {
    this.open.delete(child);
    this.cut.add(child);
  }

  /** The children's next blocks begin lines of their own. */
  forget() {
    for (const row of this.open.values()) row.open = false;
    this.open.clear();
    this.cut.clear();
    this.allKnown = true;
  }

  /** A child begins, or has ended. */
  close(child) {
    const row = this.open.get(child);
    if (row !== undefined) {
      row.open = false;
      row.version += 1;
      this.open.delete(child);
    }
    this.known.add(child);
    this.cut.delete(child);
  }

  /** Add a block's rows to `out`; returns how many characters came to a row that was there before. */
  block(data, cursor, out) {
    const { taskId: child, text, kind, timestamp } = data;
    let at = 0;
    let grown = 0;
    const open = this.open.get(child);
    if (open !== undefined) {
      const end = text.indexOf("\n");
      grown = this.#grow(open, end < 0 ? text : text.slice(0, end));
      if (open.kind === "output") open.kind = kind;
      if (end < 0) {
        if (data.partial) return grown;
        at = text.length;
      } else at = end + 1;
      open.open = false;
      this.open.delete(child);
    }
    let continues = this.unsure(child);
    if (continues) {
      this.known.add(child);
      this.cut.delete(child);
    }
    for (let end; (end = text.indexOf("\n", at)) >= 0; at = end + 1) {
      const row = new Row(kind, child, text.slice(at, end), timestamp, cursor);
      if (continues) {
        row.continues = true;
        continues = false;
      }
      out.push(row);
    }
    if (at < text.length) {
      const row = new Row(kind, child, at ? text.slice(at) : text, timestamp, cursor);
      row.continues = continues;
      if (data.partial) {
        row.open = true;
        this.open.set(child, row);
      }
      out.push(row);
    }
    return grown;
  }

  #grow(row, piece) {
    const before = row.text.length;
    row.version += 1;
    if (row.text.length + piece.length > REDRAWN && piece.includes("\r")) {
      row.text = piece.slice(-REDRAWN);
    } else if (before + piece.length > LONGEST) {
      row.cut += before + piece.length - LONGEST;
      row.text += piece.slice(0, LONGEST - before);
    } else row.text += piece;
    return row.text.length - before;
  }
}
