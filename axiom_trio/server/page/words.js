// Figures in words.

export function rate(value) {
  return `${value && value < 9.95 ? value.toFixed(1) : count(value)}/s`;
}

export function count(value) {
  if (value < 10_000) return String(Math.round(value));
  if (value < 1_000_000) return `${(value / 1000).toFixed(value < 100_000 ? 1 : 0)}k`;
  return `${(value / 1_000_000).toFixed(value < 100_000_000 ? 1 : 0)}M`;
}

export function exact(value) {
  return Math.round(value).toLocaleString("en-US");
}

export function size(bytes) {
  for (const unit of ["B", "kB", "MB"]) {
    if (bytes < 1000) return `${bytes < 10 && unit !== "B" ? bytes.toFixed(1) : Math.round(bytes)} ${unit}`;
    bytes /= 1000;
  }
  return `${bytes.toFixed(1)} GB`;
}

export function lines(value) {
  return `${exact(value)} line${value === 1 ? "" : "s"}`;
}

export function duration(ms) {
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} m`;
}

let second = NaN;
let shown = "";

/** The time of day; often asked for the same second. */
export function clock(ms) {
  const now = Math.floor(ms / 1000);
  if (now !== second) {
    const date = new Date(ms);
    const parts = [date.getHours(), date.getMinutes(), date.getSeconds()];
    shown = parts.map((part) => String(part).padStart(2, "0")).join(":");
    second = now;
  }
  return shown;
}

/** An element; `children` are text or elements, never markup. */
export function element(tag, options = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(options)) {
    if (key === "class") made.className = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key in made && !key.includes("-")) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}
