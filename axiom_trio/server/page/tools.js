// The bar above: filters and views, kept for this tab, so that they survive a reload.

import { KINDS } from "./filter.js";
import { element } from "./words.js";

const KEPT = "axiom-trio";
const THEMES = ["auto", "dark", "light"];

export class Tools {
  constructor(app) {
    this.app = app;
    this.settings = { view: "merged", wrap: true, theme: "auto", kinds: KINDS, text: "", regex: false };
    try {
      Object.assign(this.settings, JSON.parse(sessionStorage.getItem(KEPT) ?? "{}"));
    } catch {
      // what can't be read isn't kept
    }
    for (const id of ["search", "regex", "kinds", "view", "wrap", "theme"]) this[id] = document.getElementById(id);
    this.search.value = this.settings.text;
    this.regex.checked = this.settings.regex;
    this.search.addEventListener("input", () => this.find(this.search.value));
    this.regex.addEventListener("change", () => this.find(this.search.value));
    const kinds = new Set(this.settings.kinds);
    for (const kind of KINDS) {
      const button = element("button", { type: "button", class: `kind ${kind}` }, kind === "control" ? "marks" : kind);
      button.setAttribute("aria-pressed", String(kinds.has(kind)));
      button.addEventListener("click", () => {
        if (!kinds.delete(kind)) kinds.add(kind);
        button.setAttribute("aria-pressed", String(kinds.has(kind)));
        app.refilter({ kinds: new Set(kinds) });
        this.change({ kinds: [...kinds] });
      });
      this.kinds.append(button);
    }
    app.filter.set({ kinds: new Set(kinds) });
    this.view.addEventListener("click", () => this.nextView());
    this.wrap.addEventListener("click", () => this.nextWrap());
    this.theme.addEventListener("click", () => this.nextTheme());
  }

  /** Show what was kept. */
  begin() {
    this.find(this.settings.text);
  }

  get lanes() {
    return this.settings.view === "lanes";
  }

  /** Show only lines with this text. */
  find(text) {
    const { app, search } = this;
    const regex = this.regex.checked;
    if (search.value !== text) search.value = text;
    app.refilter({ text, regex });
    search.setCustomValidity(app.filter.error);
    search.title = app.filter.error;
    this.change({ text, regex });
  }

  nextView() {
    this.change({ view: this.lanes ? "merged" : "lanes" });
    this.app.refilter({});
  }

  nextWrap() {
    this.change({ wrap: !this.settings.wrap });
  }

  nextTheme() {
    this.change({ theme: THEMES[(THEMES.indexOf(this.settings.theme) + 1) % THEMES.length] });
  }

  /** Change settings, and keep them. */
  change(settings) {
    const { app } = this;
    Object.assign(this.settings, settings);
    try {
      sessionStorage.setItem(KEPT, JSON.stringify(this.settings));
    } catch {
      // a browser that keeps nothing for sites shows it all the same
    }
    const { wrap, theme } = this.settings;
    app.list.element.hidden = this.lanes;
    app.lanes.element.hidden = !this.lanes;
    this.view.setAttribute("aria-pressed", String(this.lanes));
    this.wrap.setAttribute("aria-pressed", String(wrap));
    this.theme.textContent = theme === "auto" ? "◐ auto" : theme === "dark" ? "☾ dark" : "☀ light";
    document.documentElement.dataset.theme = theme;
    document.documentElement.classList.toggle("wrap", wrap);
    app.list.redraw();
    app.lanes.redraw();
    app.tick();
  }
}
