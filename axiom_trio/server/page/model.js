// The run as it is known: its children, their figures, and what became of messages.

import { harmless } from "./ansi.js";
import { Progress } from "./progress.js";

const POINTS = 60; // of a chart, one a second
const RECENT = 5; // points that the rate is the mean of
const RECEIPTS = 1000;
const ACTIVE = new Set(["running", "starting", "stopping", "restarting", "queued"]);

export class Child {
  constructor(id, place) {
    this.id = id;
    this.place = place;
    this.hue = (place * 137.508 + 210) % 360; // far from those of its neighbours
    this.name = this.shortId = id.slice(0, 8);
    this.state = "running";
    this.tty = false;
    this.pid = null;
    this.lines = this.bytes = this.interventions = this.restarts = this.idle = this.uptime = 0;
    this.exitCode = this.signal = this.error = this.reason = this.duration = null;
    this.rates = [];
    this.rate = 0;
    this.idleMark = false;
    this.progress = new Progress();
    this.heard = performance.now();
    this.counted = null; // lines and time, as a rate begins there
  }

  get ended() {
    return this.state === "completed";
  }

  get ok() {
    return this.ended && this.exitCode === 0 && !this.error && this.reason !== "timeout" && this.reason !== "idle";
  }

  /** How it ended, in a few words. */
  get outcome() {
    if (!this.ended) return "";
    const how = this.error ?? (this.signal !== null ? `signal ${this.signal}` : `exit ${this.exitCode ?? "?"}`);
    const why = { exit: "", signal: "", error: "" }[this.reason] ?? this.reason;
    return harmless(why ? `${how}, ${why}` : how);
  }

  /** Take in a CHILD of the wire form. */
  merge(wire, now) {
    this.name = harmless(wire.name);
    this.shortId = wire.shortId;
    for (const key of ["state", "tty", "pid", "lines", "bytes", "interventions", "restarts", "idle", "uptime"])
      if (wire[key] !== undefined) this[key] = wire[key];
    if (wire.startedAt) this.startedAt = wire.startedAt;
    if (this.ended) for (const key of ["exitCode", "signal", "error", "reason", "duration"]) this[key] = wire[key];
    this.heard = performance.now() - (this.idle || 0);
    if (this.idle < 1500) this.idleMark = false;
    this.#count(now);
  }

  #count(now) {
    if (this.counted !== null && now > this.counted.time) {
      this.rates.push(Math.max(0, ((this.lines - this.counted.lines) * 1000) / (now - this.counted.time)));
      if (this.rates.length > POINTS) this.rates.shift();
      const last = this.rates.slice(-RECENT);
      this.rate = last.reduce((sum, rate) => sum + rate, 0) / last.length;
    }
    this.counted = { lines: this.lines, time: now };
  }

  /** No more comes, so the chart runs out. */
  rest() {
    this.rate = 0;
    if (this.rates.some(Boolean)) {
      this.rates.push(0);
      if (this.rates.length > POINTS) this.rates.shift();
    }
  }
}

export class Run {
  constructor() {
    this.id = "";
    this.reset({});
  }

  reset(about) {
    this.about = about;
    this.id = about.runId ?? "";
    this.children = new Map();
    this.cursor = -1; // of the last event that was taken in
    this.totals = {};
    this.seen = 0; // lines, those that were skipped included
    this.skipped = 0;
    this.receipts = new Map();
  }

  get mayControl() {
    return (this.about.rights ?? []).includes("control");
  }

  get active() {
    let count = 0;
    for (const child of this.children.values()) count += ACTIVE.has(child.state);
    return count;
  }

  /** How many lines the page is behind, as far as it is known. */
  get behind() {
    return Math.max(0, (this.totals.totalLines ?? 0) - this.seen);
  }

  child(id) {
    let child = this.children.get(id);
    if (child === undefined) {
      child = new Child(id, this.children.size);
      this.children.set(id, child);
    }
    return child;
  }

  /** Returns whether it is another run than before. */
  hello(data) {
    const another = data.runId !== this.id;
    if (another) {
      this.reset(data);
      this.cursor = data.cursor;
      this.seen = data.statistics.totalLines;
    }
    this.about = data;
    this.totals = data.statistics;
    this.stand(data.children);
    return another;
  }

  /** Take in how all children stand, after a time of which nothing is known. */
  stand(children) {
    const now = Date.now();
    for (const wire of children) {
      const child = this.child(wire.taskId);
      child.counted = null; // a rate over that time would be none
      child.merge(wire, now);
    }
  }

  stats(data) {
    this.totals = data;
    const active = new Set();
    for (const wire of data.streams) {
      active.add(wire.taskId);
      this.child(wire.taskId).merge(wire, data.timestamp);
    }
    for (const child of this.children.values()) if (!active.has(child.id)) child.rest();
  }

  /** The run has ended, and no more figures come. */
  end() {
    let totalLines = 0;
    for (const child of this.children.values()) {
      totalLines += child.lines;
      child.rest();
    }
    this.totals = { ...this.totals, totalLines };
  }

  /** Take in an event that is new. */
  event(type, data) {
    if (type === "gap") {
      this.seen += data.lines;
      this.skipped += data.lines;
      return;
    }
    if (type === "allComplete" || data.taskId === undefined) return;
    const child = this.child(data.taskId);
    if (type === "stream") {
      this.seen += data.lines;
      child.heard = performance.now();
      child.idleMark = false;
    } else if (type === "started") {
      child.merge({ ...data, state: "running" }, data.timestamp);
    } else if (type === "idle") {
      child.idleMark = true;
    } else if (type === "intervention") {
      child.interventions = Math.max(child.interventions, data.count);
    } else if (type === "delivery") {
      this.receipt(data);
    } else if (type === "restarting") {
      child.state = "restarting";
      child.restarts = Math.max(child.restarts, data.attempt - 1);
    } else if (type === "complete") {
      child.state = "completed";
      Object.assign(child, {
        exitCode: data.exitCode,
        signal: data.signal,
        error: data.error,
        reason: data.reason,
        duration: data.duration,
        lines: data.lines,
        bytes: data.bytes,
        interventions: data.interventions,
        idleMark: false,
      });
    }
  }

  receipt({ receipt, state, reason }) {
    if (!receipt) return;
    this.receipts.set(receipt, { state, reason });
    if (this.receipts.size > RECEIPTS) this.receipts.delete(this.receipts.keys().next().value);
  }

  /** What history says became of a message: what is known is newer. */
  oldReceipt(data) {
    if (!this.receipts.has(data.receipt) && this.receipts.size < RECEIPTS) this.receipt(data);
  }
}
