// Rows that can be looked at: the merged ones, or those of one child, which others don't push out.

import { History } from "./history.js";
import { Rows } from "./rows.js";

export class Source {
  /** @param {string|null} child Of this one; null: of all. */
  constructor(app, child, most, mostChars) {
    this.app = app;
    this.child = child;
    this.rows = new Rows(most, mostChars);
    this.history = new History(this.rows, app, child);
    this.reader = null; // the list that shows it
    this.begin();
  }

  get #reads() {
    return this.reader !== null && !this.reader.follow;
  }

  /** Another run, or the first. */
  begin() {
    this.rows.clear();
    this.attached = true; // whether what comes is added
    this.missed = 0; // rows that came and were not
    this.history.reset(this.app.run.cursor + 1);
  }

  push(row) {
    if (this.attached) this.rows.push(row);
    else this.missed += 1;
  }

  grown(by) {
    if (this.attached) this.rows.grown(by);
  }

  /** Keep the bound: what is being read stays, and then nothing is added. */
  trim() {
    if (!this.rows.full) return;
    if (this.#reads) {
      this.attached = false;
      return;
    }
    const cursor = this.rows.trimFront();
    if (cursor !== null) this.history.dropped(cursor);
  }

  /** Fetch what came before; where one follows, only to have something to show. */
  async older() {
    const { rows } = this;
    if (!this.#reads && (rows.length * 2 > rows.most || rows.chars * 2 > rows.mostChars)) return;
    if (!(await this.history.older())) return;
    if (rows.full && this.#reads) {
      this.attached = false;
      rows.trimBack();
    }
    this.app.changed();
  }

  /** Have the newest again, where one has read so long that they weren't added. */
  attach() {
    if (this.attached) return;
    const { assembler, merged, sources } = this.app;
    for (const [child, row] of [...assembler.open])
      if (this.child === null || this.child === child) {
        for (const other of [merged, sources.get(child)]) other.rows.expect(row);
        assembler.giveUp(child);
      }
    this.begin();
  }

  /** A list shows it from now on, or none. */
  shownBy(list) {
    this.reader = list;
    if (list === null) this.attach();
  }
}
