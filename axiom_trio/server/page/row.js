// A row: a line of a child's output as far as it is here, or a mark.

/** A line of a child's, or a mark. */
export class Row {
  constructor(kind, child, text, time, cursor) {
    this.kind = kind;
    this.child = child;
    this.text = text;
    this.time = time;
    this.cursor = cursor; // of the event in which it begins
    this.open = false;
    this.continues = false; // whether its beginning may be in history
    this.cut = 0; // characters that weren't kept
    this.version = 0;
    this.mark = "";
  }

  join(begun) {
    this.text = begun.text + this.text;
    this.cursor = begun.cursor;
    this.time = begun.time;
    this.continues = begun.continues;
    this.version += 1;
  }
}

/** The rest of a line, as one deque has it: its beginning is that deque's own. */
export class Rest {
  constructor(live) {
    this.live = live; // grows
    this.prefix = "";
    this.child = live.child;
    this.time = live.time;
    this.cursor = live.cursor;
    this.continues = true;
    this.joined = 0;
    this.mark = "";
  }

  get text() {
    return this.prefix + this.live.text;
  }

  get kind() {
    return this.live.kind;
  }

  get open() {
    return this.live.open;
  }

  get cut() {
    return this.live.cut;
  }

  get version() {
    return this.live.version + this.joined;
  }

  join(begun) {
    this.prefix = begun.text + this.prefix;
    this.cursor = begun.cursor;
    this.time = begun.time;
    this.continues = begun.continues;
    this.joined += 1;
  }
}

/** A row that is not a child's output. */
export function markRow(mark, child, text, time, cursor, kind = "control") {
  const row = new Row(kind, child, text, time, cursor);
  row.mark = mark;
  return row;
}
