// What is held of the output: rows, bounded, and how events become rows.

const LONGEST = 1 << 20; // characters kept of a line
const REDRAWN = 1 << 14; // of one that is redrawn: only its last state is shown

/** A deque of rows, bounded in rows and characters. A row's place is a number that never changes. */
export class Rows {
  constructor(most = 200_000, mostChars = 8_000_000) {
    this.most = most;
    this.mostChars = mostChars;
    this.ofOne = false; // whether all rows are of one child
    this.generation = 0;
    this.clear();
  }

  clear() {
    this.list = [];
    this.head = 0;
    this.first = 0;
    this.chars = 0;
    this.continued = new Map(); // child → its first row, if its beginning may come from history
    this.begun = new Map(); // child → a row from history that may go on with what comes next
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
    const begun = this.begun.size ? this.begun.get(row.child) : undefined;
    if (begun !== undefined && row.mark === "") {
      this.begun.delete(row.child);
      if (row.continues) {
        begin(row, begun);
        this.chars += row.text.length - begun.text.length;
        if (row.continues) this.continued.set(row.child, row);
        this.list[this.list.lastIndexOf(begun)] = row;
        this.edits += 1; // who has looked at these rows has to do it again
        return;
      }
    } else if (row.continues && !(this.ofOne ? this.length : this.continued.has(row.child)))
      this.continued.set(row.child, row);
    this.list.push(row);
    this.chars += row.text.length;
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
      this.chars += begin(row, begun);
      if (row.continues) this.continued.set(child, row);
    }
    for (const [child, row] of assembler.open)
      if (!live.allKnown && !live.known.has(child) && !this.begun.has(child)) this.begun.set(child, row);
    for (const row of rows) {
      this.chars += row.text.length;
      if (row.continues && !this.continued.has(row.child)) this.continued.set(row.child, row);
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

/** A row gets its beginning, if it has not; returns by how much it grew. Rows may be in several deques. */
function begin(row, begun) {
  const before = row.text.length;
  if (begun.cursor < row.cursor) {
    row.text = begun.text + row.text;
    row.cursor = begun.cursor;
    row.time = begun.time;
    row.continues = begun.continues;
    row.version += 1;
  } else row.continues = false;
  return row.text.length - before;
}

function makeRow(kind, child, text, time, cursor) {
  return { kind, child, text, time, cursor, open: false, continues: false, cut: 0, version: 0, mark: "" };
}

/** A row that is not a child's output. */
export function markRow(mark, child, text, time, cursor, kind = "control") {
  const row = makeRow(kind, child, text, time, cursor);
  row.mark = mark;
  return row;
}

/** Makes rows of blocks of output, in order: a line that is cut over blocks is one row. */
export class Assembler {
  constructor() {
    this.open = new Map(); // child → its row that has not ended
    this.known = new Set(); // children of which we know whether a line was open
    this.allKnown = false;
  }

  /** The children's next blocks begin lines of their own. */
  forget() {
    for (const row of this.open.values()) row.open = false;
    this.open.clear();
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
    let continues = false;
    if (!this.allKnown && !this.known.has(child)) {
      continues = true;
      this.known.add(child);
    }
    for (let end; (end = text.indexOf("\n", at)) >= 0; at = end + 1) {
      const row = makeRow(kind, child, text.slice(at, end), timestamp, cursor);
      if (continues) {
        row.continues = true;
        continues = false;
      }
      out.push(row);
    }
    if (at < text.length) {
      const row = makeRow(kind, child, at ? text.slice(at) : text, timestamp, cursor);
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
