// The children: how each stands, a chart of its rate, its progress; what is shown and what not.

import { count, duration, element, lines, rate, size } from "./words.js";

const WIDTH = 60;
const HEIGHT = 18;
const GLYPHS = { running: "●", starting: "◌", queued: "◌", stopping: "◍", restarting: "↻" };
const SVG = "http://www.w3.org/2000/svg";

class Item {
  constructor(child, actions) {
    this.child = child;
    this.glyph = element("span", { class: "glyph" });
    this.name = element("bdi", { class: "name" });
    this.detail = element("span", { class: "detail" });
    this.rate = element("span", { class: "rate" });
    this.bar = element("span", { class: "bar", hidden: true }, element("span", { class: "done" }));
    const chart = document.createElementNS(SVG, "svg");
    chart.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    chart.setAttribute("preserveAspectRatio", "none");
    chart.setAttribute("aria-hidden", "true");
    this.line = document.createElementNS(SVG, "polygon");
    chart.append(this.line);
    this.button = element(
      "button",
      { class: "child", type: "button", onclick: () => actions.solo(child.id) },
      this.glyph,
      this.name,
      this.rate,
      chart,
      this.detail,
      this.bar,
    );
    this.eye = element("button", { class: "eye", type: "button", onclick: () => actions.hide(child.id) });
    this.element = element("li", {}, this.button, this.eye);
    this.element.style.setProperty("--hue", child.hue);
  }

  update(filter, place) {
    const { child } = this;
    const state = child.ended ? (child.ok ? "ok" : "failed") : child.idleMark ? "idle" : child.state;
    const glyph = { ok: "✓", failed: "✗", idle: "⏸" }[state] ?? GLYPHS[state] ?? "●";
    const solo = filter.solo === child.id;
    const hidden = filter.hidden.has(child.id);
    this.element.className = `${state}${filter.shows(child.id) ? "" : " away"}`;
    set(this.glyph, glyph);
    set(this.name, child.name);
    set(this.rate, child.ended ? "" : rate(child.rate));
    set(this.detail, this.#detail(child));
    const fraction = child.ended ? null : child.progress.fraction;
    this.bar.hidden = fraction === null;
    if (fraction !== null) {
      this.bar.firstChild.style.width = `${fraction * 100}%`;
      this.bar.title = `${Math.round(fraction * 100)} % done, as it says itself`;
    }
    this.button.setAttribute("aria-pressed", String(solo));
    const key = place < 9 ? ` (key ${place + 1})` : "";
    this.button.title = `${child.name}${key}\n${lines(child.lines)}, ${size(child.bytes)}, ${child.interventions} interventions, ${child.restarts} restarts${child.pid ? `, pid ${child.pid}` : ""}`;
    this.button.setAttribute("aria-label", `${child.name}: ${state}, ${this.detail.textContent}. Show only this one`);
    set(this.eye, hidden ? "◌" : "◉");
    this.eye.setAttribute("aria-label", `${hidden ? "Show" : "Hide"} ${child.name} in the stream`);
    this.eye.setAttribute("aria-pressed", String(!hidden));
    this.#chart(child.rates);
  }

  #detail(child) {
    const parts = [child.ended ? child.outcome : null, count(child.lines) + (child.lines === 1 ? " line" : " lines")];
    const fraction = child.ended ? null : child.progress.fraction;
    if (fraction !== null) parts.unshift(`${Math.round(fraction * 100)} %`);
    const silent = performance.now() - child.heard;
    if (!child.ended && child.state !== "running") parts.unshift(child.state);
    else if (!child.ended && silent >= 2000) parts.unshift(`silent ${duration(silent)}`); // before what is cut
    else if (child.ended && child.duration) parts.push(duration(child.duration));
    if (child.restarts) parts.push(`↻${child.restarts}`);
    if (child.interventions) parts.push(`➤${child.interventions}`);
    return parts.filter(Boolean).join(" · ");
  }

  #chart(rates) {
    const most = Math.max(1, ...rates);
    const from = WIDTH - rates.length;
    const points = rates.map((one, at) => `${from + at + 1},${(HEIGHT - (one / most) * (HEIGHT - 1)).toFixed(1)}`);
    const text = points.length ? `${from + 1},${HEIGHT} ${points.join(" ")} ${WIDTH},${HEIGHT}` : "";
    if (this.line.getAttribute("points") !== text) this.line.setAttribute("points", text);
  }
}

function set(one, text) {
  if (one.textContent !== text) one.textContent = text;
}

export class Sidebar {
  constructor(list, run, filter, actions) {
    this.list = list;
    this.run = run;
    this.filter = filter;
    this.actions = actions;
    this.items = new Map();
  }

  update() {
    for (const [id, item] of this.items)
      if (this.run.children.get(id) !== item.child) {
        item.element.remove();
        this.items.delete(id);
      }
    let place = 0;
    for (const child of this.run.children.values()) {
      let item = this.items.get(child.id);
      if (item === undefined) {
        item = new Item(child, this.actions);
        this.items.set(child.id, item);
        this.list.append(item.element);
      }
      item.update(this.filter, place);
      place += 1;
    }
  }
}
