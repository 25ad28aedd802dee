// What a line shows: colours, and nothing else of what sequences do. Everything ends up as inert text.

const HIDDEN =
  "\\x00-\\x08\\x0b-\\x1a\\x1c-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ufff9-\\ufffb";
const SEQUENCE =
  "\\x1b(?:\\[[0-?]{0,4096}[ -/]{0,64}[@-~]?|\\][^\\x07\\x18\\x1a\\x1b]*\\x07?|[PX^_][^\\x18\\x1a\\x1b]*|[ -/]{0,64}[0-~]?)";
const SEQUENCES = new RegExp(SEQUENCE, "g");
const TOKENS = new RegExp(`${SEQUENCE}|[${HIDDEN}]`, "g");
const CELLS = new RegExp(`${SEQUENCE}|[\\s\\S]`, "gu");
const SGR = /^\x1b\[([0-9;:]{0,64})m$/;
const NONE = Object.freeze({ fg: "", bg: "", flags: 0 });
const FLAGS = { 1: 1, 2: 2, 3: 4, 4: 8, 7: 16, 9: 32, 21: 8 };
const NAMES = ["bold", "faint", "italic", "underline", "inverse", "strike"];
const OFF = { 22: 3, 23: 4, 24: 8, 27: 16, 29: 32 };

/** Text without sequences, as filters see it. */
export function plain(text) {
  return text.includes("\x1b") ? text.replace(SEQUENCES, "") : text;
}

/** A control or bidirectional character, made visible. */
function visible(character) {
  const code = character.codePointAt(0);
  if (code === 0x0e || code === 0x0f) return "";
  if (code < 0x20 || code === 0x7f) return `^${String.fromCharCode(code ^ 0x40)}`;
  if (code < 0xa0) return `\\x${code.toString(16).padStart(2, "0")}`;
  return `<U+${code.toString(16).toUpperCase().padStart(4, "0")}>`;
}

const HARMFUL = new RegExp(`[\\t\\n\\x1b${HIDDEN}]`, "g");

/** Any text from outside (a name, a message), on one line and harmless. */
export function harmless(text) {
  return String(text).replace(HARMFUL, (c) => (c === "\n" || c === "\t" ? " " : visible(c)));
}

function extended(parts, at) {
  // The colour whose operands begin at parts[at], and the place after them.
  const count = { 5: 1, 2: 3 }[parts[at]] ?? 0;
  const values = parts.slice(at + 1, at + 1 + count).map((part) => Number(part || 0));
  if (!count || values.length < count || values.some((value) => !(value <= 255))) return [null, parts.length];
  return [count === 1 ? indexed(values[0]) : `rgb(${values.join(",")})`, at + 1 + count];
}

function indexed(index) {
  if (index < 16) return String(index);
  if (index > 231) return `rgb(${Array(3).fill(8 + 10 * (index - 232)).join(",")})`;
  const level = (value) => (value ? 55 + 40 * value : 0);
  const at = index - 16;
  return `rgb(${level(Math.floor(at / 36))},${level(Math.floor(at / 6) % 6)},${level(at % 6)})`;
}

function restyle(style, params) {
  let { fg, bg, flags } = style;
  const parts = params.split(";");
  for (let at = 0; at < parts.length; ) {
    const [head, ...sub] = parts[at].split(":");
    const code = Number(head || 0);
    at += 1;
    if (code === 38 || code === 48 || code === 58) {
      let colour;
      if (sub.length) [colour] = extended(sub[0] === "2" ? ["2", ...sub.slice(-3)] : sub, 0);
      else [colour, at] = extended(parts, at);
      if (colour !== null && code === 38) fg = colour;
      if (colour !== null && code === 48) bg = colour;
    } else if (code === 0) [fg, bg, flags] = ["", "", 0];
    else if (code === 4 && sub[0] === "0") flags &= ~8;
    else if (code in FLAGS) flags |= FLAGS[code];
    else if (code in OFF) flags &= ~OFF[code];
    else if (code === 39) fg = "";
    else if (code === 49) bg = "";
    else if (code >= 30 && code <= 37) fg = String(code - 30);
    else if (code >= 90 && code <= 97) fg = String(code - 82);
    else if (code >= 40 && code <= 47) bg = String(code - 40);
    else if (code >= 100 && code <= 107) bg = String(code - 92);
  }
  return { fg, bg, flags };
}

function piece(text, style) {
  if (style === NONE || (!style.fg && !style.bg && !style.flags)) return document.createTextNode(text);
  const span = document.createElement("span");
  span.textContent = text;
  for (const [at, name] of NAMES.entries()) if (style.flags & (1 << at)) span.classList.add(name);
  for (const [colour, property, letter] of [
    [style.fg, "--fg", "f"],
    [style.bg, "--bg", "b"],
  ]) {
    if (!colour) continue;
    span.classList.add(letter);
    span.style.setProperty(property, colour.startsWith("rgb") ? colour : `var(--c${colour})`);
  }
  return span;
}

function settle(text) {
  // Take the backspaces out: what was written over is gone. None goes back beyond the beginning.
  const cells = [];
  let place = 0;
  let waiting = "";
  for (const [token] of text.matchAll(CELLS)) {
    if (token === "\b") place = Math.max(0, place - 1);
    else if (token === "\x1b[K" || token === "\x1b[0K") cells.length = Math.min(cells.length, place);
    else if (token[0] === "\x1b") waiting += token;
    else {
      cells[place] = waiting + token;
      waiting = "";
      place += 1;
    }
  }
  return cells.join("") + waiting;
}

/** The part of a row that is to be seen: what follows its last `\r` that has text behind it. */
function redrawn(text) {
  if (!text.includes("\r")) return [text, ""];
  if (text.includes("\x1b")) text = text.replace(SEQUENCES, (it) => (SGR.test(it) ? it : it === "\x1b" ? "^[" : ""));
  let end = text.length;
  while (end > 0) {
    const start = text.lastIndexOf("\r", end - 1) + 1;
    const segment = text.slice(start, end);
    if (plain(segment) || start === 0) return [segment, text.slice(Math.max(0, start - 4096), start)];
    end = start - 1;
  }
  return ["", ""];
}

/** What a row says in the end, as text. */
export function settled(text) {
  const [shown] = redrawn(text);
  return plain(shown.includes("\b") && shown.length <= 65536 ? settle(shown) : shown);
}

/** Fill an element with what a line shows; returns how many characters of it were left out. */
export function fill(element, line, most) {
  let [text, before] = redrawn(line);
  if (text.includes("\b") && text.length <= 65536) text = settle(text);
  let style = NONE;
  for (const [sequence] of before.matchAll(SEQUENCES)) {
    const sgr = SGR.exec(sequence);
    if (sgr) style = restyle(style, sgr[1]);
  }
  if (!text.includes("\x1b") && style === NONE && text.length <= most && text.search(TOKENS) < 0) {
    element.textContent = text;
    return 0;
  }
  const nodes = [];
  let pending = "";
  let shown = 0;
  let at = 0;
  const flush = () => {
    if (pending) nodes.push(piece(pending, style));
    pending = "";
  };
  TOKENS.lastIndex = 0;
  while (shown < most) {
    const match = TOKENS.exec(text);
    const until = Math.min(match ? match.index : text.length, at + most - shown);
    pending += text.slice(at, until);
    shown += until - at;
    at = until;
    if (!match || shown >= most) break;
    at += match[0].length;
    const sgr = SGR.exec(match[0]);
    if (sgr) {
      flush();
      style = restyle(style, sgr[1]);
    } else if (match[0][0] !== "\x1b") {
      pending += visible(match[0]);
      shown += 1;
    } else if (match[0] === "\x1b") pending += "^[";
    if (nodes.length > 2000) break;
  }
  TOKENS.lastIndex = 0;
  flush();
  element.replaceChildren(...nodes);
  return text.length - at;
}
