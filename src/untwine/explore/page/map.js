// Map of codes: points on a canvas, colored by a factor; a click shows one, a lasso chooses many.

import { draw, fromBase64 } from "./picture.js";
import { ask } from "./server.js";

const WAY = 0.12; // of the map, in a step of the cross
const NAMES = 12; // values of a factor that have a color each
// Okabe and Ito's colors and some between, apart for every common kind of color blindness
const PALETTE = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a7a00", "#7b5ea7", "#5d6b7a", "#b2182b", "#00a6a6", "#a6761d"];
const RAMP = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
const HUES = [[200, 80, 90], [190, 150, 40], [70, 160, 90], [50, 150, 180], [120, 100, 190], [200, 80, 90]];

const get = (id) => document.getElementById(id);

export class Plane {
  /** @param shown Called with the number of a point that was clicked, and "a" or "b". */
  constructor(shown) {
    this.shown = shown;
    this.canvas = get("plane");
    this.panel = null;
    this.x = this.y = this.c = new Float32Array(0);
    this.chosen = new Set();
    this.groups = { first: [], second: [] };
    this.view = { x: 0, y: 0, half: 1 }; // center and half of the width, in units of the axes
    this.fitted = true;
    this.cross = null; // where the keyboard is, in parts of the canvas
    this.path = null; // of the lasso
    this.loading = null;
    this.milliseconds = 0; // of the last drawing
    this.ready = Promise.resolve();
    this.wire();
    new ResizeObserver(() => this.paint()).observe(this.canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
  }

  /** Shows the codes of a run. */
  show(panel, { x, y, color } = {}) {
    this.panel = panel;
    const { axes, factors, knobs } = panel.run;
    fill(get("map-x"), axes, axes.includes(x) ? x : axes[0]);
    fill(get("map-y"), axes, axes.includes(y) ? y : (axes[1] ?? axes[0]));
    const colors = [...factors.map((f) => f.name), ...axes];
    const follows = knobs.find((knob) => knob.follows)?.factor;
    fill(get("map-color"), colors, colors.includes(color) ? color : (follows ?? colors[0]));
    const pick = get("pick");
    pick.replaceChildren(new Option("by value…", ""));
    for (const factor of factors) {
      const group = document.createElement("optgroup");
      group.label = factor.name;
      for (let value = 0; value < Math.min(factor.size, 100); value++) {
        group.append(new Option(`${factor.name} ${factor.values[value] ?? value}`, JSON.stringify([factor.name, value])));
      }
      pick.append(group);
    }
    pick.parentElement.hidden = factors.length === 0;
    this.choose([]);
    this.groups = { first: [], second: [] };
    this.tellGroups();
    return this.reload();
  }

  get axes() {
    return { x: get("map-x").value, y: get("map-y").value, color: get("map-color").value };
  }

  /** Asks for the points anew. */
  reload() {
    this.x = this.y = this.c = new Float32Array(0);
    this.fitted = true;
    this.ready = this.extend();
    return this.ready;
  }

  /** Asks for the points that have been encoded since. */
  async extend() {
    this.loading?.abort();
    const loading = new AbortController();
    this.loading = loading;
    const { x, y, color } = this.axes;
    const axes = [x, y, color].map(encodeURIComponent).join(",");
    const since = this.x.length;
    try {
      const response = await ask(`${this.panel.path}/points?axes=${axes}&since=${since}`, undefined, { signal: loading.signal });
      const values = new Float32Array(await response.arrayBuffer());
      const count = values.length / 3;
      this.x = joined(this.x, values.subarray(0, count));
      this.y = joined(this.y, values.subarray(count, 2 * count));
      this.c = joined(this.c, values.subarray(2 * count));
    } catch {
      return;
    }
    if (this.fitted) this.fit();
    this.paint();
    this.tell();
  }

  /** More points are there. */
  grown(count) {
    this.panel.run.points = count;
    if (count > this.x.length && this.x.length > 0) this.extend();
  }

  fit() {
    const [x0, x1] = ends(this.x);
    const [y0, y1] = ends(this.y);
    this.view = { x: (x0 + x1) / 2, y: (y0 + y1) / 2, half: 0.53 * Math.max(x1 - x0, y1 - y0, 1e-6) };
    this.fitted = true;
  }

  paint() {
    if (!this.panel) return;
    const begun = performance.now();
    const { canvas } = this;
    const ratio = Math.min(devicePixelRatio || 1, 2);
    const side = Math.max(1, Math.round(canvas.clientWidth * ratio));
    if (canvas.width !== side || canvas.height !== side) canvas.width = canvas.height = side;
    const context = canvas.getContext("2d");
    const image = context.createImageData(side, side);
    const pixels = new Uint32Array(image.data.buffer);
    const colors = this.colors();
    const { x, y, half } = this.view;
    const scale = side / (2 * half);
    const size = Math.max(1, Math.round(ratio * (this.x.length > 30000 ? 1.5 : this.x.length > 8000 ? 2.4 : this.x.length > 2500 ? 3 : 4)));
    const chosen = this.chosen.size > 0;
    const plot = (i, color) => {
      const left = Math.round((this.x[i] - x + half) * scale - size / 2);
      const top = Math.round((y + half - this.y[i]) * scale - size / 2);
      if (left < 0 || top < 0 || left + size > side || top + size > side) return;
      for (let row = top; row < top + size; row++) {
        const start = row * side + left;
        pixels.fill(color, start, start + size);
      }
    };
    for (let i = 0; i < this.x.length; i++) plot(i, chosen ? faint(colors[i]) : colors[i]);
    if (chosen) for (const i of this.chosen) plot(i, colors[i]);
    context.putImageData(image, 0, 0);
    const style = getComputedStyle(document.documentElement);
    const accent = style.getPropertyValue("--accent").trim();
    context.lineWidth = 1.6 * ratio;
    if (this.path?.length) {
      context.strokeStyle = accent;
      context.beginPath();
      for (const [u, v] of this.path) context.lineTo(u * side, v * side);
      context.closePath();
      context.stroke();
    }
    if (this.cross) {
      const [u, v] = [this.cross[0] * side, this.cross[1] * side];
      context.strokeStyle = style.getPropertyValue("--warm").trim();
      context.beginPath();
      context.moveTo(u - 9 * ratio, v);
      context.lineTo(u + 9 * ratio, v);
      context.moveTo(u, v - 9 * ratio);
      context.lineTo(u, v + 9 * ratio);
      context.stroke();
    }
    this.milliseconds = performance.now() - begun;
  }

  /** A color for each point, as 32 bits; and the legend. */
  colors() {
    const factor = this.panel.run.factors.find((f) => f.name === this.axes.color);
    const names = factor && (factor.kind === "nominal" || factor.values.length) && factor.size <= NAMES;
    const key = `${this.axes.color} ${this.c.length}`;
    if (this.colored?.key === key && this.colored.of === this.c) return this.colored.colors;
    const colors = new Uint32Array(this.c.length);
    const grey = packed([150, 155, 160]);
    const legend = [];
    if (names) {
      const table = PALETTE.map((hex) => packed([1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16))));
      for (let i = 0; i < colors.length; i++) colors[i] = this.c[i] >= 0 ? table[this.c[i] % table.length] : grey;
      for (let v = 0; v < factor.size; v++) legend.push(entry(PALETTE[v % PALETTE.length], factor.values[v] ?? String(v)));
    } else {
      const ramp = factor?.kind === "angle" ? HUES : RAMP;
      const table = Array.from({ length: 256 }, (_, i) => packed(mixed(ramp, i / 255)));
      const [low, high] = factor ? [0, Math.max(1, factor.size - 1)] : ends(this.c);
      const scale = 255 / (high - low || 1);
      for (let i = 0; i < colors.length; i++) {
        const value = this.c[i];
        colors[i] = Number.isNaN(value) ? grey : table[Math.max(0, Math.min(255, Math.round((value - low) * scale)))];
      }
      legend.push(...bar(ramp, factor ? factor.values[0] ?? low : low.toFixed(2), factor ? factor.values[factor.size - 1] ?? high : high.toFixed(2)));
    }
    get("legend").replaceChildren(...legend);
    this.colored = { key, of: this.c, colors };
    return colors;
  }

  /** The point that is nearest to a place of the canvas, if one is close. */
  nearest(u, v, reach = 0.03) {
    const { x, y, half } = this.view;
    const px = x + (2 * u - 1) * half;
    const py = y - (2 * v - 1) * half;
    let best = -1;
    let least = (2 * half * reach) ** 2;
    for (let i = 0; i < this.x.length; i++) {
      const far = (this.x[i] - px) ** 2 + (this.y[i] - py) ** 2;
      if (far < least) {
        least = far;
        best = i;
      }
    }
    return best;
  }

  choose(points) {
    this.chosen = new Set(points);
    get("chosen").hidden = this.chosen.size === 0;
    get("chosen-count").textContent = `${this.chosen.size.toLocaleString("en")} chosen`;
    if (this.panel) this.paint();
  }

  async group(which) {
    this.groups[which] = [...this.chosen];
    this.tellGroups();
    const { first, second } = this.groups;
    if (first.length && second.length) {
      const response = await ask(`${this.panel.path}/direction`, { first, second });
      this.panel.follow(await response.json());
    }
  }

  tellGroups() {
    const { first, second } = this.groups;
    const words = [];
    if (first.length) words.push(`group 1 has ${first.length.toLocaleString("en")} points`);
    if (second.length) words.push(`group 2 has ${second.length.toLocaleString("en")}`);
    if (words.length === 2) words.push("the slider “Direction” goes from one to the other");
    else if (words.length) words.push("choose another group to have the direction between them");
    get("groups").textContent = words.join("; ");
  }

  tell() {
    const { points, pointsInAll } = this.panel.run;
    const count = this.x.length.toLocaleString("en");
    get("map-count").textContent = points < pointsInAll ? `${count} of ${pointsInAll.toLocaleString("en")}, encoding` : `${count} points`;
  }

  /** The points inside the lasso. */
  inside() {
    const { x, y, half } = this.view;
    const corners = this.path.map(([u, v]) => [x + (2 * u - 1) * half, y - (2 * v - 1) * half]);
    const points = [];
    for (let i = 0; i < this.x.length; i++) {
      if (within(corners, this.x[i], this.y[i])) points.push(i);
    }
    return points;
  }

  zoom(factor, u = 0.5, v = 0.5) {
    const { half } = this.view;
    const next = Math.max(1e-6, half * factor);
    this.view.x += (2 * u - 1) * (half - next);
    this.view.y -= (2 * v - 1) * (half - next);
    this.view.half = next;
    this.fitted = false;
    this.paint();
  }

  wire() {
    const { canvas } = this;
    const lasso = get("lasso");
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    };
    for (const id of ["map-x", "map-y", "map-color"]) {
      get(id).addEventListener("change", () => {
        this.changed?.();
        this.reload();
      });
    }
    let drag = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      canvas.setPointerCapture(event.pointerId);
      drag = { from: place(event), last: place(event), moved: false };
      this.cross = null;
      if (lasso.getAttribute("aria-pressed") === "true" || event.shiftKey) this.path = [place(event)];
    });
    canvas.addEventListener("pointermove", (event) => {
      const at = place(event);
      if (!drag) {
        this.hover(at);
        return;
      }
      if (Math.hypot(at[0] - drag.from[0], at[1] - drag.from[1]) > 0.01) drag.moved = true;
      if (this.path) this.path.push(at);
      else if (drag.moved) {
        this.view.x -= 2 * (at[0] - drag.last[0]) * this.view.half;
        this.view.y += 2 * (at[1] - drag.last[1]) * this.view.half;
        this.fitted = false;
      }
      drag.last = at;
      this.paint();
    });
    const end = (event) => {
      if (!drag) return;
      const { moved } = drag;
      drag = null;
      if (this.path && moved) this.choose(this.inside());
      else if (!moved && event.type === "pointerup") {
        const point = this.nearest(...place(event));
        if (point >= 0) this.shown(point, event.altKey ? "b" : "a");
      }
      this.path = null;
      lasso.setAttribute("aria-pressed", "false");
      this.paint();
    };
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
    canvas.addEventListener("pointerleave", () => { get("hover").hidden = true; });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(event.deltaY * 0.0015), ...place(event));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      this.cross ??= [0.5, 0.5];
      if (event.key in steps) {
        const step = event.shiftKey ? WAY / 4 : WAY / 2;
        this.cross = this.cross.map((at, i) => Math.max(0, Math.min(1, at + step * steps[event.key][i])));
      } else if (event.key === "Enter" || event.key === " ") {
        const point = this.nearest(...this.cross, 2);
        if (point >= 0) this.shown(point, event.altKey ? "b" : "a");
      } else if (event.key === "+" || event.key === "=") this.zoom(0.8, ...this.cross);
      else if (event.key === "-") this.zoom(1.25, ...this.cross);
      else if (event.key === "Escape") this.cross = null;
      else return;
      event.preventDefault();
      this.paint();
    });
    lasso.addEventListener("click", () => {
      lasso.setAttribute("aria-pressed", String(lasso.getAttribute("aria-pressed") !== "true"));
    });
    get("whole").addEventListener("click", () => {
      this.fit();
      this.paint();
    });
    get("unchoose").addEventListener("click", () => this.choose([]));
    get("group-first").addEventListener("click", () => this.group("first"));
    get("group-second").addEventListener("click", () => this.group("second"));
    get("pick").addEventListener("change", (event) => this.pick(event.target));
  }

  async pick(select) {
    if (!select.value) return;
    const [name, value] = JSON.parse(select.value);
    select.value = "";
    const response = await ask(`${this.panel.path}/points?axes=${encodeURIComponent(name)}`);
    const values = new Float32Array(await response.arrayBuffer());
    const points = [];
    for (let i = 0; i < Math.min(values.length, this.x.length); i++) if (values[i] === value) points.push(i);
    this.choose(points);
  }

  /** A small picture of the point under the pointer. */
  async hover([u, v]) {
    const image = get("hover");
    const point = this.nearest(u, v, 0.02);
    this.over = point;
    if (point < 0) {
      image.hidden = true;
      return;
    }
    if (this.asking || image.dataset.point === String(point)) {
      image.hidden = image.dataset.point !== String(point);
      return;
    }
    this.asking = true;
    try {
      await new Promise((done) => setTimeout(done, 60));
      if (this.over !== point) return;
      const start = await (await ask(`${this.panel.path}/point?point=${point}`)).json();
      const canvas = document.createElement("canvas");
      const box = document.createElement("div");
      box.append(canvas);
      draw(canvas, fromBase64(start.picture), this.panel.run.size);
      image.src = canvas.toDataURL();
      image.dataset.point = String(point);
      const side = this.canvas.clientWidth;
      image.style.left = `${Math.min(u * side + 12, side - 84)}px`;
      image.style.top = `${Math.min(v * side + 12, side - 84)}px`;
      image.hidden = this.over !== point;
    } catch { /* said elsewhere */ } finally {
      this.asking = false;
    }
  }
}

function fill(select, names, chosen) {
  select.replaceChildren(...names.map((name) => new Option(name, name, false, name === chosen)));
  select.value = chosen;
}

function joined(a, b) {
  const both = new Float32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

function ends(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : [0, 1];
}

const packed = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
const faint = (color) => ((color & 0x00ffffff) | (46 << 24)) >>> 0;

function mixed(ramp, t) {
  const at = Math.min(ramp.length - 1 - 1e-9, t * (ramp.length - 1));
  const i = Math.floor(at);
  return ramp[i].map((value, k) => Math.round(value + (at - i) * (ramp[i + 1][k] - value)));
}

function within(corners, x, y) {
  let inside = false;
  for (let i = 0, j = corners.length - 1; i < corners.length; j = i++) {
    const [xi, yi] = corners[i];
    const [xj, yj] = corners[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

function entry(color, text) {
  const one = document.createElement("span");
  const dot = document.createElement("i");
  dot.style.backgroundColor = color;
  one.append(dot, text);
  return one;
}

function bar(ramp, low, high) {
  const canvas = document.createElement("canvas");
  canvas.width = 64;
  canvas.height = 1;
  const context = canvas.getContext("2d");
  for (let i = 0; i < 64; i++) {
    context.fillStyle = `rgb(${mixed(ramp, i / 63)})`;
    context.fillRect(i, 0, 1, 1);
  }
  const word = (text) => Object.assign(document.createElement("span"), { textContent: String(text).replace("-", "−") });
  return [word(low), canvas, word(high)];
}
