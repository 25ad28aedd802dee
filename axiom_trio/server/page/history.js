// Older output, from the run: what it holds in memory, and with a journal all of it.

import { markOf } from "./marks.js";
import { markRow } from "./row.js";
import { Assembler } from "./rows.js";

const AT_ONCE = 384 * 1024; // bytes
const EVENTS = 2000; // looked at in one request; more where they have nothing of the child

/** Fetches what comes before the first row of `rows`. */
export class History {
  /** @param {string|null} child Only of this one; null: of all. */
  constructor(rows, app, child) {
    this.rows = rows;
    this.app = app;
    this.child = child;
    this.reset(0);
  }

  /** Begin before this cursor. */
  reset(before) {
    this.before = before;
    this.done = before <= 0;
    this.busy = false;
    this.window = EVENTS;
    this.generation = this.rows.generation;
  }

  /** Rows have been dropped at the front: they can be fetched again. */
  dropped(cursor) {
    this.before = cursor;
    this.done = false;
  }

  /** Fetch some; returns how many rows came. */
  async older() {
    if (this.busy || this.done || !this.app.connection.isOpen) return 0;
    const generation = this.rows.generation;
    this.busy = true;
    let came = 0;
    try {
      while (!came && !this.done) {
        const before = this.before;
        const after = Math.max(-1, before - 1 - this.window);
        const tasks = this.child === null ? {} : { tasks: [this.child] };
        const reply = await this.app.connection.request("history", { before, after, limit: AT_ONCE, ...tasks });
        if (generation !== this.rows.generation || before !== this.before) return 0;
        came = this.#take(reply, after);
        if (!came) this.window *= 4;
      }
      this.window = EVENTS;
    } catch (error) {
      if (error.code !== "lost") this.done = true;
    } finally {
      if (generation === this.rows.generation) this.busy = false;
    }
    return came;
  }

  #take({ events, more, oldestCursor }, after) {
    const assembler = new Assembler();
    const found = [];
    for (const { type, data } of events.toReversed()) if (type === "delivery") this.app.run.oldReceipt(data);
    for (const { type, cursor, data } of events) {
      if (type === "stream") assembler.block(data, cursor, found);
      else {
        if (type === "gap") assembler.forget();
        else if (type === "started" || type === "complete" || type === "restarting") assembler.close(data.taskId);
        const row = markOf(type, data, cursor);
        if (row !== null && !(type === "gap" && data.toCursor <= oldestCursor)) found.push(row);
      }
    }
    this.before = more && events.length ? events[0].cursor : after + 1;
    this.done = !more && this.before <= oldestCursor;
    if (this.done && oldestCursor > 0) {
      const text = "⋯ what came before is no longer held";
      found.unshift(markRow("gap", null, text, NaN, oldestCursor - 1, "gap"));
    }
    const before = this.rows.length;
    this.rows.unshift(found, assembler, this.app.assembler);
    return this.rows.length - before;
  }
}
