// What keys do.

export function listen(app) {
  const search = document.getElementById("search");
  const help = document.getElementById("keys");
  document.getElementById("help").addEventListener("click", () => help.showModal());
  const actions = {
    "/": () => search.focus(),
    "?": () => help.showModal(),
    j: () => app.active.move(19),
    k: () => app.active.move(-19),
    ArrowDown: () => app.active.move(38),
    ArrowUp: () => app.active.move(-38),
    PageDown: () => app.active.move(app.active.height * 0.9),
    PageUp: () => app.active.move(-app.active.height * 0.9),
    g: () => app.active.toTop(),
    Home: () => app.active.toTop(),
    G: () => app.toEnd(),
    End: () => app.toEnd(),
    f: () => app.toEnd(),
    l: () => app.tools.nextView(),
    w: () => app.tools.nextWrap(),
    t: () => app.tools.nextTheme(),
    i: () => document.getElementById("message").focus(),
    0: () => app.showAll(),
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || help.open) return;
    const { target, key } = event;
    if (key === "Escape") {
      if (target === search && search.value) app.tools.find("");
      else if (target !== document.body && target.blur) target.blur();
      else app.solo(null);
      return;
    }
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) && target.type !== "checkbox") return;
    if (/^[1-9]$/.test(key)) {
      const child = [...app.run.children.values()][Number(key) - 1];
      if (child) app.solo(child.id);
    } else if (actions[key] && !(target.tagName === "BUTTON" && key.startsWith("Arrow"))) actions[key]();
    else return;
    event.preventDefault();
  });
}
