// The WebSocket: connects, comes back with the last cursor, asks and gets answers.

const FIRST = 250; // ms before it tries again; doubles, to MOST
const MOST = 10_000;
const REFUSED = 30_000;
const SLICE = 20; // ms of work at a stretch
const QUEUE = 2_000_000; // characters that may wait for it
const LONGEST = 65_536; // bytes of a message; of more, the server ends the connection
const SILENT = 45_000; // the server pings each 20 s, which the browser answers unseen; `stats` come each second

/** An answer that says no, in a sentence. */
export class Refused extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

export class Connection {
  #socket = null;
  #pending = new Map(); // id → how to answer
  #delay = FIRST;
  #timer = 0;
  #heard = 0;
  #ended = false;
  #refusals = 0;
  #queue = [];
  #at = 0; // in the first of them
  #queued = 0;
  #channel = new MessageChannel();
  #working = false;
  #closing = null; // what is to be done when all that came has been worked off

  /**
   * @param {(message: object, hurry: boolean) => void} receive Takes each message, in order; in a hurry
   *   if so much waits that output can't all be shown.
   * @param {(state: string, text: string) => void} told `connecting`, `open`, `waiting`, `refused`.
   */
  constructor(receive, told) {
    this.receive = receive;
    this.told = told;
    this.isOpen = false;
    addEventListener("online", () => this.retry());
    addEventListener("hashchange", () => this.restart());
    document.addEventListener("visibilitychange", () => document.hidden || this.retry());
    this.#channel.port1.onmessage = () => this.#work();
    setInterval(() => this.#watch(), 5000);
  }

  get token() {
    return location.hash.slice(1);
  }

  start() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (!/^[\w.~-]{1,512}$/.test(this.token)) {
      this.told("refused", "This address has no token: open the one that the run printed, to its end.");
      return;
    }
    this.told("connecting", "Connecting …");
    const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`;
    let socket;
    try {
      socket = new WebSocket(url, ["axiom.v1", `axiom.token.${this.token}`]);
    } catch (error) {
      this.told("refused", `This address can't be connected to: ${error.message}`);
      return;
    }
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#take(socket, data);
    socket.onclose = ({ code, reason }) => {
      if (socket !== this.#socket) return;
      // Of a run that has ended, what waits here is the last there is.
      if (this.#queue.length) this.#closing = () => this.#closed(socket, code, reason);
      else this.#closed(socket, code, reason);
    };
  }

  /** Try now what would be tried later. */
  retry() {
    if (this.#timer) this.start();
  }

  restart() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#drop();
    this.#refusals = 0;
    this.#delay = FIRST;
    this.start();
  }

  send(type, data) {
    this.#put(JSON.stringify({ type, data }));
  }

  /** Ask, and wait for the answer. Rejects with Refused; code `lost` if the connection went meanwhile. */
  request(type, data, id = newId()) {
    return new Promise((resolve, reject) => {
      if (!this.isOpen) {
        reject(new Refused("lost", "there is no connection"));
        return;
      }
      const text = JSON.stringify({ type, data: { ...data, id } });
      if (new Blob([text]).size > LONGEST) {
        reject(new Refused("too-long", "it's too long: 64 KiB can be sent at once"));
        return;
      }
      this.#pending.set(id, { resolve, reject });
      this.#put(text);
    });
  }

  /** What is put on one that is closing is lost; browsers complain of it. */
  #put(text) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(text);
  }

  #take(socket, text) {
    if (socket !== this.#socket) return;
    this.#heard = performance.now();
    this.#queue.push(text);
    this.#queued += text.length;
    if (!this.#working) this.#work();
  }

  /** Work off what waits, for a while; the rest in another task, so that the page stays alive. */
  #work() {
    this.#working = true;
    const until = performance.now() + SLICE;
    while (this.#queue.length) {
      const text = this.#queue[0];
      let end = text.indexOf("\n", this.#at);
      if (end < 0) end = text.length;
      const line = text.slice(this.#at, end);
      this.#at = end + 1;
      try {
        if (line) this.#message(JSON.parse(line), this.#queued > QUEUE);
      } catch (error) {
        reportError(error); // a defect of ours: the other messages are none the worse for it
      }
      if (this.#at >= text.length && this.#queue[0] === text) {
        this.#queue.shift();
        this.#queued -= text.length;
        this.#at = 0;
      }
      if (performance.now() > until && this.#queue.length) {
        this.#channel.port2.postMessage(null);
        return;
      }
    }
    this.#working = false;
    const closing = this.#closing;
    this.#closing = null;
    closing?.();
  }

  #message(message, hurry) {
    const { type, data } = message;
    if (type === "reply" || type === "error") {
      const asked = this.#pending.get(data.id);
      this.#pending.delete(data.id);
      if (type === "reply") asked?.resolve(data);
      else asked?.reject(new Refused(data.code, data.message));
      return;
    }
    if (type === "hello") {
      this.#delay = FIRST;
      this.#ended = false;
      this.isOpen = true;
      this.told("open", "Connected");
    }
    if (type === "end") this.#ended = true;
    this.receive(message, hurry);
  }

  #drop() {
    this.isOpen = false;
    this.#queue = []; // of what was in it, the events come again
    this.#queued = this.#at = 0;
    this.#closing = null;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const asked of pending) asked.reject(new Refused("lost", "the connection was lost"));
  }

  async #closed(socket, code, reason) {
    if (socket !== this.#socket) return;
    this.#socket = null;
    const was = this.isOpen;
    this.#drop();
    let wait = this.#delay * (0.75 + Math.random() / 2);
    this.#delay = Math.min(MOST, this.#delay * 2);
    let state = this.#ended ? "ended" : "waiting";
    let why = was ? "The connection was lost" : "The run can't be reached";
    if (this.#ended) why = "The run has ended; if another one serves this port, it will be shown";
    else if (code === 4408) why = "This page was too slow for the connection";
    else if (reason) why += ` (${reason})`;
    // Twice, as the run may have begun in between.
    this.#refusals = !was && (await this.#refused()) ? this.#refusals + 1 : 0;
    if (this.#refusals > 1) {
      state = "refused";
      why = "The token is refused, or too many look on: open the address that the run has printed now";
      wait = REFUSED;
    }
    if (this.#socket !== null || this.#timer) return;
    this.told(state, `${why}. Trying again …`);
    this.#timer = setTimeout(() => this.start(), wait);
  }

  /** A socket that was refused doesn't say why; whether the page is still served does. */
  async #refused() {
    try {
      return (await fetch("/", { cache: "no-store", method: "HEAD" })).ok;
    } catch {
      return false;
    }
  }

  #watch() {
    if (this.isOpen && performance.now() - this.#heard > SILENT) {
      const socket = this.#socket;
      this.#closed(socket, 1006, "");
      socket.close();
    }
  }
}

/** Unguessable, and unique; `crypto.randomUUID` is not there off loopback. */
export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
