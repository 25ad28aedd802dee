// A lane for each child that is shown.

import { List } from "./list.js";
import { element } from "./words.js";

export class Lanes {
  /** @param {object} app What it is part of: run, filter, sourceOf, changed. */
  constructor(app) {
    this.app = app;
    this.lanes = new Map();
    this.element = element("div", { class: "lanes", hidden: true });
    this.seen = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        const lane = this.lanes.get(target.dataset.child);
        if (lane) lane.visible = isIntersecting;
      }
      app.changed();
    });
  }

  /** The lists that are to be drawn. */
  lists() {
    const { run, filter, sources } = this.app;
    for (const [id, lane] of this.lanes)
      if (!filter.shows(id) || sources.get(id) !== lane.list.source) this.#remove(id, lane);
    const found = [];
    for (const child of run.children.values()) {
      if (!filter.shows(child.id)) continue;
      const lane = this.lanes.get(child.id) ?? this.#add(child);
      if (lane.visible) found.push(lane.list);
    }
    this.element.classList.toggle("one", this.lanes.size === 1);
    return found;
  }

  clear() {
    for (const [id, lane] of this.lanes) this.#remove(id, lane);
  }

  #remove(id, lane) {
    lane.list.remove();
    lane.element.remove();
    this.seen.unobserve(lane.element);
    this.lanes.delete(id);
  }

  refilter() {
    for (const { list } of this.lanes.values()) list.show(list.source);
  }

  redraw() {
    for (const { list } of this.lanes.values()) list.redraw();
  }

  head(child) {
    const state = child.ended ? (child.ok ? "✓" : "✗") : child.idleMark ? "⏸" : "●";
    const text = child.ended ? child.outcome : "";
    return `${state} ${child.name}${text ? ` · ${text}` : ""}`;
  }

  update() {
    for (const { child, title } of this.lanes.values()) {
      const text = this.head(child);
      if (title.textContent !== text) title.textContent = text;
    }
  }

  #add(child) {
    const { app } = this;
    const source = app.sourceOf(child.id);
    const list = new List(app, source, `Output of ${child.name}`);
    source.shownBy(list);
    const title = element("bdi", {}, this.head(child));
    const button = element("button", { type: "button", class: "title", onclick: () => app.solo(child.id) }, title);
    const lane = { child, list, title, visible: true, element: element("section", { class: "lane" }) };
    lane.element.dataset.child = child.id;
    lane.element.style.setProperty("--hue", child.hue);
    lane.element.append(button, list.element);
    this.lanes.set(child.id, lane);
    this.element.append(lane.element);
    this.seen.observe(lane.element);
    return lane;
  }
}
