// The page of a run: what comes over the connection becomes rows, and what is to be seen of them is drawn.

import { harmless } from "./ansi.js";
import { Connection } from "./connection.js";
import { Filter, Selection } from "./filter.js";
import { listen } from "./keys.js";
import { Lanes } from "./lanes.js";
import { List } from "./list.js";
import { markOf } from "./marks.js";
import { Run } from "./model.js";
import { markRow } from "./row.js";
import { Assembler } from "./rows.js";
import { Sidebar } from "./sidebar.js";
import { Skips } from "./skips.js";
import { Source } from "./source.js";
import { Steer } from "./steer.js";
import { Tools } from "./tools.js";
import { count, exact, rate as inWords, lines } from "./words.js";

const FRAME = 8; // ms of a frame for looking at new rows
const NAME = 14; // columns for the longest name
const byId = (id) => document.getElementById(id);

class App {
  constructor() {
    this.run = new Run();
    this.filter = new Filter();
    this.assembler = new Assembler();
    this.merged = new Source(this, null, 200_000, 8_000_000);
    this.sources = new Map(); // child → its own rows
    this.skips = new Skips();
    this.scheduled = false;
    this.cost = 0; // ms of the last frame
    this.connection = new Connection(
      (message, hurry) => this.receive(message, hurry),
      (state, text) => this.told(state, text),
    );
    this.list = new List(this, this.merged, "Output of all children");
    this.merged.shownBy(this.list);
    this.lanes = new Lanes(this);
    byId("main").append(this.list.element, this.lanes.element);
    this.sidebar = new Sidebar(byId("children"), this.run, this.filter, {
      solo: (id) => this.solo(this.filter.solo === id ? null : id),
      hide: (id) => this.hide(id),
    });
    this.steer = new Steer(this);
    this.tools = new Tools(this);
    this.tools.begin();
    listen(this);
    document.addEventListener("selectionchange", () => this.#selected());
    setInterval(() => this.tick(), 1000);
    this.connection.start();
  }

  // --- what comes

  receive({ type, cursor, data }, hurry) {
    if (type === "hello") this.#hello(data);
    else if (type === "stats") this.#stats(data);
    else if (type === "end") this.#end();
    else if (cursor > this.run.cursor) this.#event(type, cursor, data, hurry);
    this.changed();
  }

  #hello(data) {
    const had = this.run.id;
    const another = this.run.hello(data);
    if (another) {
      this.assembler = new Assembler();
      this.merged.begin();
      this.sources.clear();
      this.skips.clear();
      this.showAll();
      if (had) {
        const text = `A new run has begun (${data.shortId}); what the one before wrote is no longer shown.`;
        this.merged.push(markRow("all", null, text, Date.now(), data.cursor));
        this.warn(text, 10_000);
      }
    }
    this.connection.send("subscribe", { after: this.run.cursor });
    const command = harmless([data.command].flat().join(" ") || "axiom-trio");
    byId("title").textContent = command;
    byId("title").title = `${command}\n${harmless(data.cwd ?? "")}\nrun ${data.runId}, pid ${data.pid}`;
    document.title = `${command.slice(0, 60)} · axiom-trio`;
    this.steer.connected(another && had !== "");
    this.tick();
  }

  #stats(data) {
    this.run.stats(data);
    this.tick();
  }

  #end() {
    this.run.end();
    this.tick();
  }

  #event(type, cursor, data, hurry) {
    const { run } = this;
    run.cursor = cursor;
    const known = run.children.size;
    run.event(type, data);
    if (type === "stream") {
      if (hurry || this.skips.isTooMuch(data.lines)) this.#skip(cursor, data);
      else this.#stream(cursor, data);
    } else {
      if (type === "gap") {
        this.assembler.forget();
        this.#stand();
      } else if (type === "started" || type === "restarting" || type === "complete") this.assembler.close(data.taskId);
      const row = markOf(type, data, cursor);
      if (row !== null) this.#add([row], type === "started");
      if (type === "complete" && !run.child(data.taskId).ok) this.say(`${run.child(data.taskId).name} has failed`);
      this.side = true;
    }
    if (run.children.size !== known) this.side = true;
  }

  /** Ask how the children stand: the end of one may be among what is no longer held. */
  async #stand() {
    try {
      this.run.stand((await this.connection.request("status", {})).children);
      this.tick();
    } catch {
      // lost: then it's told when it comes back
    }
  }

  #stream(cursor, data) {
    const rows = [];
    const grown = this.assembler.block(data, cursor, rows);
    if (grown) {
      this.merged.grown(grown);
      this.sourceOf(data.taskId, cursor).grown(grown);
    }
    this.#add(rows);
    const child = this.run.child(data.taskId);
    const now = performance.now();
    if (data.kind === "progress" || now - (child.looked ?? 0) > 50) {
      child.looked = now;
      const newest = rows.at(-1) ?? this.assembler.open.get(child.id);
      if (newest) child.progress.look(newest);
    }
  }

  #skip(cursor, data) {
    this.run.skipped += data.lines;
    this.assembler.close(data.taskId);
    this.skips.add(this.merged, null, cursor, data);
    this.skips.add(this.sourceOf(data.taskId, cursor), data.taskId, cursor, data);
  }

  #add(rows, first = false) {
    let source;
    for (const row of rows) {
      this.merged.push(row);
      if (row.child === null) continue;
      source ??= this.sourceOf(row.child, row.cursor); // all rows of an event are of one child
      if (first && !source.rows.length) source.history.done = true;
      source.push(row);
    }
    source?.trim();
    this.merged.trim();
  }

  /** A child's own rows. */
  sourceOf(id, before = this.run.cursor + 1) {
    let source = this.sources.get(id);
    if (source === undefined) {
      source = new Source(this, id, 20_000, 1_000_000);
      source.history.reset(before);
      this.sources.set(id, source);
      const share = this.sources.size;
      for (const { rows } of this.sources.values()) {
        rows.most = Math.max(1000, Math.min(20_000, 200_000 / share));
        rows.mostChars = Math.max(50_000, Math.min(1_000_000, 8_000_000 / share));
      }
    }
    return source;
  }

  /** The list that keys move: of the lane that has the focus, or else of the first. */
  get active() {
    if (!this.tools.lanes) return this.list;
    const lanes = [...this.lanes.lanes.values()];
    const focused = lanes.find(({ element }) => element.contains(document.activeElement)) ?? lanes[0];
    return focused?.list ?? this.list;
  }

  /** Follow what comes. */
  toEnd() {
    const lists = this.tools.lanes ? this.lanes.lists() : [this.list];
    for (const list of lists) list.toEnd();
  }

  // --- what is seen

  changed() {
    if (this.scheduled) return;
    this.scheduled = true;
    const draw = () => requestAnimationFrame(() => this.#frame());
    // Drawing takes at most about half of the time, the rest is for what comes and for who types.
    if (this.cost > FRAME) setTimeout(draw, Math.min(100, this.cost));
    else draw();
  }

  #frame() {
    this.scheduled = false;
    const { lanes } = this.tools;
    const lists = lanes ? this.lanes.lists() : [this.list];
    const began = performance.now();
    const deadline = began + FRAME;
    for (const list of lists) list.update(deadline);
    for (const list of lists) list.measure();
    for (const list of lists) list.place();
    this.cost = performance.now() - began;
    if (this.side) {
      this.side = false;
      this.#figures();
    }
    if (lists.some((list) => !list.settled)) this.changed();
  }

  /** Text that is being marked stays where it is. */
  #selected() {
    const { isCollapsed, anchorNode } = getSelection();
    if (isCollapsed) return;
    const lists = [this.list, ...[...this.lanes.lanes.values()].map(({ list }) => list)];
    lists.find((list) => list.content.contains(anchorNode))?.stay();
  }

  tick() {
    this.side = true;
    this.changed();
  }

  #figures() {
    const { run } = this;
    this.sidebar.update();
    this.lanes.update();
    this.steer.update();
    const { totalLines = 0 } = run.totals;
    let rate = 0;
    let widest = 3;
    for (const child of run.children.values()) {
      rate += child.rate;
      widest = Math.max(widest, child.name.length);
    }
    byId("main").style.setProperty("--who", `${Math.min(NAME, widest)}ch`);
    const parts = [`${run.active} of ${run.children.size} active`, lines(totalLines), inWords(rate)];
    if (run.skipped) parts.push(`skipped ${exact(run.skipped)}`);
    if (run.behind > Math.max(2000, rate)) parts.push(`${count(run.behind)} behind`);
    byId("totals").textContent = run.id ? parts.join(" · ") : "";
  }

  /** Show only this child; null: all. */
  solo(id) {
    this.refilter({ solo: id });
    if (id !== null) this.steer.choose(id);
  }

  /** Show all, those that were hidden too. */
  showAll() {
    this.refilter({ solo: null, hidden: new Set() });
  }

  hide(id) {
    const hidden = new Set(this.filter.hidden);
    if (!hidden.delete(id)) hidden.add(id);
    this.refilter({ hidden, solo: null });
  }

  /** Show something else. */
  refilter(changes) {
    this.filter.set(changes);
    const { solo } = this.filter;
    if (!this.tools.lanes) this.lanes.clear();
    this.list.show(solo === null || this.tools.lanes ? this.merged : this.sourceOf(solo));
    this.lanes.refilter();
    this.tick();
  }

  // --- what is said

  told(state, text) {
    const badge = byId("connection");
    badge.className = state;
    badge.textContent = { open: "live", connecting: "connecting", ended: "ended", refused: "refused" }[state] ?? "lost";
    if (state === "open") this.warn("");
    else if (state !== "connecting") this.warn(text);
    this.steer.update();
  }

  warn(text, forMs = 0) {
    const banner = byId("banner");
    banner.hidden = !text;
    banner.textContent = text;
    clearTimeout(this.warned);
    if (forMs) this.warned = setTimeout(() => (banner.hidden = true), forMs);
  }

  say(text) {
    byId("spoken").textContent = text;
  }
}

globalThis.app = new App();
