// Messages to the children, and what became of them; interrupt, stop and restart.

import { harmless } from "./ansi.js";
import { newId } from "./connection.js";
import { element } from "./words.js";

const KEPT = 4; // messages that are listed
const ARMED = 3000; // ms in which a second click means it
const SAID = 10_000; // ms that a refusal is shown
const PATIENCE = 600_000; // ms to wait for silence

export class Steer {
  constructor(app) {
    this.app = app;
    this.messages = [];
    for (const id of ["steer", "target", "message", "idle", "outbox", "hint"])
      this[id] = document.getElementById(id);
    this.asKeys = document.getElementById("as-keys");
    this.asKeys.addEventListener("change", () => {
      this.idle.disabled = this.asKeys.checked; // they answer what is shown now
    });
    this.steer.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.message.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.#send();
      }
    });
    this.message.addEventListener("input", () => {
      this.message.rows = Math.min(6, this.message.value.split("\n").length);
    });
    this.target.addEventListener("change", () => {
      this.successor = undefined;
      this.update();
    });
    this.buttons = {};
    for (const action of ["interrupt", "restart", "stop"]) {
      const button = document.getElementById(action);
      this.buttons[action] = button;
      button.addEventListener("click", () => this.#act(action, button));
    }
  }

  get child() {
    return this.app.run.children.get(this.target.value);
  }

  choose(id) {
    if (this.app.run.children.has(id)) this.target.value = id;
    this.successor = undefined;
    this.update();
  }

  update() {
    const { run } = this.app;
    this.steer.hidden = !run.mayControl;
    this.hint.hidden = run.mayControl || !run.id;
    const names = new Map();
    for (const child of run.children.values()) names.set(child.name, (names.get(child.name) ?? 0) + 1);
    const options = new Map([...this.target.options].map((option) => [option.value, option]));
    for (const [id, option] of options) if (!run.children.has(id)) option.remove();
    for (const child of run.children.values()) {
      let option = options.get(child.id);
      if (option === undefined) {
        option = element("option", { value: child.id });
        this.target.append(option);
      }
      const text = names.get(child.name) > 1 ? `${child.name} (${child.shortId})` : child.name;
      const label = child.ended ? `${child.ok ? "✓" : "✗"} ${text}` : text;
      if (option.textContent !== label) option.textContent = label;
    }
    if (run.children.has(this.successor)) {
      this.target.value = this.successor;
      this.successor = undefined;
    }
    const child = this.child;
    const open = this.app.connection.isOpen;
    this.buttons.interrupt.disabled = this.buttons.stop.disabled = !open || !child || child.ended;
    this.buttons.restart.disabled = !open || !child;
    document.getElementById("send").disabled = !open || !child || child.ended;
  }

  /** Connected again: what had no answer is asked for by its id, which is sent at most once. */
  connected(another) {
    for (const message of this.messages) {
      if (message.state !== "no answer yet") continue;
      if (another) this.#tell(message, "unknown", "the run was started anew; it isn't sent again");
      else this.#deliver(message);
    }
    this.update();
  }

  #send() {
    const text = this.message.value;
    const child = this.child;
    if (!text || !child || document.getElementById("send").disabled) return;
    const keys = this.asKeys.checked;
    const when = this.idle.checked && !keys ? "idle" : undefined;
    const message = { id: newId(), child, text, keys, when, state: "", reason: "" };
    this.messages.push(message);
    while (this.messages.length > KEPT) this.messages.shift().element.remove();
    message.badge = element("span", { class: "badge" });
    message.element = element(
      "li",
      {},
      element("bdi", { class: "who" }, child.name),
      element("bdi", { class: "what" }, harmless(text.slice(0, 200))),
      message.badge,
      element(
        "button",
        {
          type: "button",
          class: "close",
          "aria-label": "Forget this message",
          onclick: () => {
            message.element.remove();
            this.messages = this.messages.filter((other) => other !== message);
          },
        },
        "×",
      ),
    );
    message.element.querySelector(".who").style.setProperty("--hue", child.hue);
    this.outbox.append(message.element);
    this.message.value = "";
    this.message.rows = 1;
    this.#deliver(message);
  }

  async #deliver(message) {
    this.#tell(message, message.when ? "waits for silence" : "sending", "");
    const { child, text, keys, when, id } = message;
    const what = keys ? { keys: text } : { text, ...(when ? { when, wait: PATIENCE } : {}) };
    const request = keys ? "press" : "intervene";
    try {
      const { state, reason } = await this.app.connection.request(request, { task: child.id, ...what }, id);
      this.#tell(message, state, reason);
    } catch (error) {
      if (error.code === "lost") this.#tell(message, "no answer yet", error.message);
      else this.#tell(message, "refused", error.message);
    }
  }

  #tell(message, state, reason) {
    Object.assign(message, { state, reason });
    message.badge.className = `badge ${state}`;
    message.badge.textContent = reason ? `${state}: ${harmless(reason)}` : state;
  }

  async #act(action, button) {
    const child = this.child;
    if (!child) return;
    const label = action[0].toUpperCase() + action.slice(1);
    if (action !== "interrupt" && button.dataset.armed !== child.id) {
      button.dataset.armed = child.id;
      button.textContent = `${label} ${child.name}?`;
      setTimeout(() => {
        delete button.dataset.armed;
        button.textContent = label;
      }, ARMED);
      return;
    }
    delete button.dataset.armed;
    button.textContent = label;
    try {
      const { taskId } = await this.app.connection.request(action, { task: child.id });
      if (taskId && this.child === child) this.successor = taskId; // one that had ended comes back as another
      this.update();
      this.app.say(`${label}: ${child.name}`);
    } catch (error) {
      this.app.warn(`${label} ${child.name}: ${harmless(error.message)}`, SAID);
    }
  }
}
