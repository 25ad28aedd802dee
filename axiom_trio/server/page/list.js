// A list of which only what is to be seen exists: rows of any height, a scroll bar over all of them.
//
// The place p of the scroll bar, 0 to 1, says which row (p · N) stands at which height (p of the view's): so both
// ends are exact, and nothing else needs to be known of rows that aren't drawn.

import { fill, harmless } from "./ansi.js";
import { Selection } from "./filter.js";
import { clock, element, exact, size } from "./words.js";

const ROW = 19; // px, the least height of a row; style.css has the same
const SHOWN = 1200; // characters of a line; the rest on request
const MORE = 262_144;
const INTENT = 5000; // ms in which a scroll is one's own
const TALLEST = 12_000_000; // px that every browser can scroll

export class List {
  /** @param {Source} source What it shows, as far as it passes the filter. */
  constructor(app, source, label) {
    this.app = app;
    this.source = source;
    this.selection = this.#selected();
    this.follow = true;
    this.count = 0; // rows that are in it: while one reads, not those that came since
    this.mean = ROW;
    this.set = 0;
    this.height = 0;
    this.drawn = new Map(); // row → element, as they stand
    this.most = new WeakMap(); // row → characters shown
    this.content = element("div", { class: "rows" });
    this.window = element("div", { class: "window" }, this.content);
    this.spacer = element("div", { class: "spacer" }, this.window);
    this.scroller = element(
      "div",
      { class: "scroller", tabindex: "0", role: "log", "aria-live": "off", "aria-label": label },
      this.spacer,
    );
    this.pill = element("button", { class: "pill", type: "button", hidden: true, onclick: () => this.toEnd() });
    this.element = element("div", { class: "list" }, this.scroller, this.pill);
    this.scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.touched = -Infinity;
    for (const type of ["wheel", "touchmove", "touchend", "pointerdown", "keydown"])
      this.scroller.addEventListener(type, () => (this.touched = performance.now()), { passive: true });
    this.scroller.addEventListener("wheel", ({ deltaY }) => deltaY < 0 && this.stay(), { passive: true });
    this.observer = new ResizeObserver(() => {
      this.height = this.scroller.clientHeight;
      this.window.style.height = `${this.height}px`;
      app.changed();
    });
    this.observer.observe(this.scroller);
  }

  get newer() {
    return this.selection.length - this.count + this.source.missed;
  }

  #selected() {
    const ofOne = this.source.child !== null;
    return new Selection(this.source.rows, (row) => this.app.filter.test(row, ofOne));
  }

  /** Show this, from its end, as the filter is now. */
  show(source) {
    if (source !== this.source) {
      this.source.shownBy(null);
      this.source = source;
      source.shownBy(this);
      this.drawn.clear(); // with names, or without
    }
    this.selection = this.#selected();
    this.toEnd();
  }

  get #span() {
    return Math.max(0, (this.tall ?? 0) - this.height);
  }

  /** Stay where it is while more comes. */
  stay() {
    if (!this.follow || this.#span === 0) return;
    this.follow = false;
    this.app.changed();
  }

  /** Show the newest, and go on doing so. */
  toEnd() {
    this.source.attach();
    this.follow = true;
    this.app.changed();
  }

  /** Everything is to be drawn anew. */
  redraw() {
    this.drawn.clear();
    this.mean = ROW;
    this.app.changed();
  }

  move(pixels) {
    if (pixels < 0) this.stay();
    this.scroller.scrollTop += pixels;
    this.#moved();
  }

  toTop() {
    this.stay();
    this.scroller.scrollTop = 0;
    this.#moved();
  }

  #scrolled() {
    if (Math.abs(this.scroller.scrollTop - this.set) <= 1) return;
    // Else it's the browser's doing, as the size has changed.
    if (this.follow && performance.now() - this.touched < INTENT && this.scroller.scrollTop < this.#span - 2)
      this.follow = false;
    this.#moved();
  }

  #moved() {
    this.set = this.scroller.scrollTop;
    if (!this.follow && this.set >= this.#span - 1) {
      if (this.selection.length > this.count) this.count = this.selection.length;
      else if (!this.newer) this.follow = true; // else what comes next isn't held: that's for who asks to follow
    }
    this.app.changed();
  }

  /** Take in what came, and draw; first of three steps, so that layout is done once for all lists. */
  update(deadline) {
    const { selection } = this;
    const generation = selection.generation;
    this.settled = selection.pump(deadline);
    const { shifted } = selection;
    if (this.follow || generation !== selection.generation) this.count = selection.length;
    else this.count = Math.min(selection.length, Math.max(1, this.count + shifted));
    const before = this.tall ?? 0;
    this.tall = Math.min(TALLEST, Math.max(this.height, this.count * this.mean));
    if (this.whole) this.tall = Math.max(this.height, this.whole);
    this.spacer.style.height = `${this.tall}px`;
    if (!this.follow && shifted && before) {
      this.set = Math.max(0, this.set + shifted * this.mean);
      this.scroller.scrollTop = this.set;
    }
    this.at = this.follow || this.#span === 0 ? 1 : Math.min(1, Math.max(0, this.set / this.#span));
    this.#draw();
    this.#tell();
    if (!this.follow && this.set < 2 * this.height) this.source.older();
    else if (this.settled && this.count * this.mean < 2 * this.height) this.source.older();
  }

  #draw() {
    const { count, at } = this;
    const place = at * count;
    this.anchor = Math.min(count - 1, Math.floor(place));
    this.part = Math.min(1, place - this.anchor);
    const needed = Math.ceil(this.height / ROW) + 2;
    this.from = Math.max(0, this.anchor - Math.ceil(at * needed) - 1);
    this.to = Math.min(count, this.anchor + Math.ceil((1 - at) * needed) + 2);
    const drawn = new Map();
    const elements = [];
    let same = this.content.childElementCount === this.to - this.from;
    for (let index = this.from; index < this.to; index += 1) {
      const row = this.selection.at(index);
      const key = `${row.version} ${this.most.get(row) ?? 0} ${this.#fate(row)?.state ?? ""}`;
      let one = this.drawn.get(row);
      if (one === undefined || one.key !== key) one = { key, element: this.#row(row) };
      drawn.set(row, one);
      same &&= this.content.children[elements.length] === one.element;
      elements.push(one.element);
    }
    this.drawn = drawn;
    if (!same) this.content.replaceChildren(...elements);
  }

  measure() {
    const rows = this.to - this.from;
    const tall = this.content.offsetHeight;
    const anchor = this.content.children[this.anchor - this.from];
    this.offset = 0;
    if (anchor !== undefined)
      this.offset = this.at * this.height - anchor.offsetTop - this.part * anchor.offsetHeight;
    if (this.from === 0) this.offset = Math.min(0, this.offset);
    const was = this.whole;
    this.whole = rows && rows === this.count ? tall : 0;
    const mean = Math.max(ROW, tall / Math.max(1, rows));
    if (this.follow && rows && Math.abs(mean / this.mean - 1) > 0.3) {
      this.mean = mean;
      this.app.changed();
    } else if (this.whole ? Math.max(this.height, this.whole) !== this.tall : was) this.app.changed();
  }

  place() {
    this.content.style.transform = `translateY(${Math.round(this.offset)}px)`;
    if (this.follow && Math.abs(this.set - this.#span) > 0.5) {
      this.scroller.scrollTop = this.#span;
      this.set = this.scroller.scrollTop;
    }
  }

  #tell() {
    const { newer } = this;
    const text = this.follow ? "" : newer ? `${exact(newer)} newer ↓ follow` : "↓ follow";
    this.pill.hidden = this.follow;
    if (this.pill.textContent !== text) this.pill.textContent = text;
  }

  #fate(row) {
    return row.receipt ? this.app.run.receipts.get(row.receipt) : undefined;
  }

  #row(row) {
    const made = element("div", { class: `row ${row.kind}${row.mark ? ` mark ${row.mark}` : ""}` });
    if (!Number.isNaN(row.time))
      made.append(element("time", {}, clock(row.time)));
    if (this.source.child === null && row.child !== null) {
      const child = this.app.run.child(row.child);
      const who = element("bdi", { class: "who", title: child.name }, child.name);
      who.style.setProperty("--hue", child.hue);
      who.addEventListener("click", () => this.app.solo(row.child));
      made.append(who);
    }
    if (row.mark) this.#mark(made, row);
    else this.#line(made, row);
    return made;
  }

  #line(made, row) {
    const text = element("bdi", { class: "text" });
    const most = this.most.get(row) ?? SHOWN;
    const left = fill(text, row.text, most) + row.cut;
    made.append(text);
    if (most > SHOWN) text.classList.add("opened");
    if (left <= 0) return;
    if (most >= MORE) {
      made.append(element("span", { class: "note" }, `${exact(left)} more characters`));
      return;
    }
    const more = element("button", { class: "more", type: "button" }, `show more (${size(left)})`);
    more.addEventListener("click", () => {
      this.stay();
      this.most.set(row, Math.min(MORE, most * 6));
      this.app.changed();
    });
    made.append(more);
  }

  #mark(made, row) {
    if (row.mark !== "sent") {
      made.append(element("bdi", { class: "text" }, row.text));
      return;
    }
    made.append(
      element("span", { class: "badge" }, `➤ ${row.origin}`),
      element("bdi", { class: "text" }, row.text.slice(0, SHOWN)),
    );
    const fate = this.#fate(row);
    if (fate === undefined) return;
    const what = element("span", { class: `badge ${fate.state}`, title: harmless(fate.reason ?? "") }, fate.state);
    made.append(what);
  }

  remove() {
    this.source.shownBy(null);
    this.observer.disconnect();
    this.element.remove();
  }
}
