/* global untwineDecoder */
// A run: its picture, the observations A and B, and a slider for everything in its code.

import { draw, fromBase64 } from "./picture.js";
import { Refused, ask } from "./server.js";

const CHOICES = 12; // classes that have a button each
const ROWS = 20; // sliders of a part that are not folded away
const FRAMES = 48; // of a film, there and back
const TRIES = 16; // to see how fast the page decodes
const SLOWEST = 30; // milliseconds of a picture that the page decodes
const AT_ONCE = 2; // questions for pictures
const LARGEST = 16 * 2 ** 20; // bytes of a picture

const number = (value) => value.toFixed(2).replace("-", "−");
const rounded = (value) => Math.round(value * 1e4) / 1e4;

export class Panel {
  /**
   * @param run What the server says of it.
   * @param index Its number.
   * @param heard Called after every change of the code.
   */
  constructor(run, index, heard) {
    this.run = run;
    this.index = index;
    this.heard = heard;
    this.code = [];
    this.a = null;
    this.b = null;
    this.locks = new Set(); // columns
    this.along = null; // a direction: step, normal, base
    this.moved = null; // what was moved last: a column, "mix" or "along"
    this.local = null; // the decoder, if the page runs it
    this.frame = 0; // that it will draw
    this.asking = 0; // questions on their way
    this.asked = 0; // so far
    this.newest = 0; // of those, the one whose picture is shown
    this.waiting = false;
    this.frames = 0; // drawn so far
    this.milliseconds = 0; // from the question to the picture
    this.playing = null;

    const root = document.getElementById("panel").content.cloneNode(true).firstElementChild;
    this.root = root;
    root.setAttribute("aria-label", run.name);
    this.at = (name) => root.querySelector(name);
    this.at(".panel-name").textContent = run.name;
    this.canvas = this.at(".decoded");
    this.rows = new Map(); // column -> {slider, output, lock, row}
    this.updates = []; // of parts whose controls are no sliders
    this.build();
    this.wire();
    this.put("a", run.start, true);
  }

  get path() { return `api/${this.index}`; }

  build() {
    const { knobs, parts } = this.run;
    const home = this.at(".parts");
    const all = parts.length ? parts : [{ name: "", kind: "values", columns: knobs.map((k) => k.index) }];
    for (const part of all) {
      const group = document.createElement("div");
      group.className = "group";
      if (part.name) group.append(this.head(part));
      if (part.kind === "classes") group.append(this.classes(part));
      else if (part.kind === "angles") group.append(...this.angles(part));
      else group.append(...this.values(part));
      home.append(group);
    }
  }

  head(part) {
    const head = document.createElement("div");
    head.className = "head";
    const title = document.createElement("h3");
    title.textContent = part.name;
    const lock = button("Lock", `Lock ${part.name}`);
    lock.setAttribute("aria-pressed", "false");
    lock.addEventListener("click", () => this.lock(part.columns, !part.columns.every((c) => this.locks.has(c))));
    this.updates.push(() => {
      lock.setAttribute("aria-pressed", String(part.columns.every((c) => this.locks.has(c))));
    });
    const from = (slot) => {
      const take = button(`from ${slot.toUpperCase()}`, `Take ${part.name} from ${slot.toUpperCase()}`);
      take.addEventListener("click", () => this.take(part.columns, slot));
      if (slot === "b") this.updates.push(() => { take.disabled = this.b === null; });
      return take;
    };
    head.append(title, lock, from("a"), from("b"));
    return head;
  }

  /** A slider for each column, those that are off folded away. */
  values(part) {
    const columns = new Set(part.columns);
    const knobs = this.run.knobs.filter((knob) => columns.has(knob.index));
    const active = knobs.filter((knob) => !knob.quiet);
    const quiet = active.length ? knobs.filter((knob) => knob.quiet) : [];
    const shown = active.length ? active : knobs;
    const rows = shown.slice(0, ROWS).map((knob) => this.knob(knob));
    if (shown.length > ROWS) rows.push(this.fold(`${shown.length - ROWS} less active`, shown.slice(ROWS)));
    if (quiet.length) rows.push(this.fold(`${quiet.length} inactive`, quiet));
    return rows;
  }

  fold(title, knobs) {
    const fold = document.createElement("details");
    const summary = document.createElement("summary");
    const names = knobs.slice(0, CHOICES).map((knob) => `z${knob.index}`).join(", ");
    summary.textContent = `${title}: ${names}${knobs.length > CHOICES ? " and more" : ""}`;
    fold.append(summary, ...knobs.map((knob) => this.knob(knob)));
    return fold;
  }

  knob(knob) {
    const row = document.getElementById("knob").content.cloneNode(true).firstElementChild;
    const name = `z${knob.index}`;
    const at = (selector) => row.querySelector(selector);
    row.classList.toggle("quiet", knob.quiet);
    at("b").textContent = name;
    const chip = at(".chip");
    const strength = this.run.measure === "KL" ? `${knob.strength.toFixed(2)} nats` : `std ${knob.strength.toFixed(2)}`;
    chip.textContent = knob.factor ? `${knob.factor} ${Math.round(100 * knob.share)} %` : strength;
    chip.classList.toggle("follows", knob.follows);
    row.title = `${name}: ${strength} (${this.run.measureInWords})`
      + (knob.factor ? `; tells ${Math.round(100 * knob.share)} % of the entropy of ${knob.factor}` : "; tells of no factor");
    const slider = at("input");
    slider.min = knob.low;
    slider.max = knob.high;
    slider.step = (knob.high - knob.low) / 400;
    slider.setAttribute("aria-label", knob.follows ? `${name}, follows ${knob.factor}` : `${name}${knob.quiet ? ", inactive" : ""}`);
    hills(at(".histogram"), knob.histogram);
    const lock = at(".lock");
    lock.setAttribute("aria-label", `Lock ${name}`);
    lock.title = `Lock ${name}: no other control moves it`;
    const take = at(".take");
    take.setAttribute("aria-label", `Take ${name} from B`);
    take.title = `Take ${name} from B`;
    const play = at(".play");
    play.setAttribute("aria-label", `Move ${name} to and fro`);
    play.title = `Move ${name} to and fro`;
    slider.addEventListener("input", () => {
      this.stop();
      this.turn(knob.index, Number(slider.value));
    });
    lock.addEventListener("click", () => this.lock([knob.index], !this.locks.has(knob.index)));
    take.addEventListener("click", () => this.take([knob.index], "b"));
    play.addEventListener("click", () => this.play(knob, play));
    this.rows.set(knob.index, { row, slider, lock, take, output: at("output"), knob });
    return row;
  }

  classes(part) {
    if (part.columns.length > CHOICES) {
      const select = document.createElement("select");
      select.setAttribute("aria-label", part.name);
      part.columns.forEach((_, k) => select.append(new Option(String(k), String(k))));
      select.addEventListener("change", () => this.choose(part, Number(select.value)));
      this.updates.push(() => { select.value = String(largest(part.columns.map((c) => this.code[c]))); });
      return select;
    }
    const choices = document.createElement("div");
    choices.className = "choices";
    choices.setAttribute("role", "group");
    choices.setAttribute("aria-label", part.name);
    const buttons = part.columns.map((_, k) => {
      const one = button(String(k), `${part.name} ${k}`);
      one.addEventListener("click", () => this.choose(part, k));
      choices.append(one);
      return one;
    });
    this.updates.push(() => {
      const chosen = largest(part.columns.map((c) => this.code[c]));
      buttons.forEach((one, k) => {
        one.setAttribute("aria-pressed", String(k === chosen));
        one.title = `${Math.round(100 * this.code[part.columns[k]])} %`;
      });
    });
    return choices;
  }

  angles(part) {
    const rows = [];
    for (let k = 0; k < part.columns.length; k += 2) {
      const [c, s] = part.columns.slice(k, k + 2);
      const row = document.createElement("div");
      row.className = "knob";
      const name = `angle ${k / 2 + 1}`;
      row.innerHTML = '<span></span><span class="name"><b></b></span><span class="track"><input type="range" min="-180" max="180" step="1"></span><output></output>';
      row.querySelector("b").textContent = name;
      const slider = row.querySelector("input");
      slider.setAttribute("aria-label", `${part.name}, ${name}, degrees`);
      slider.addEventListener("input", () => {
        const radians = (Number(slider.value) * Math.PI) / 180;
        this.moved = c;
        this.set(new Map([[c, Math.cos(radians)], [s, Math.sin(radians)]]), { locked: false });
      });
      this.updates.push(() => {
        const degrees = Math.round((Math.atan2(this.code[s], this.code[c]) * 180) / Math.PI);
        slider.value = degrees;
        row.querySelector("output").textContent = `${number(degrees).replace(/[.]00$/, "")}°`;
      });
      rows.push(row);
    }
    return rows;
  }

  wire() {
    this.at(".blend").addEventListener("input", (event) => this.mix(Number(event.target.value)));
    this.at(".random").addEventListener("click", () => this.random());
    this.at(".sample").addEventListener("click", () => this.sample());
    this.at(".back").addEventListener("click", () => this.back());
    this.at(".to-b").addEventListener("click", () => this.copyToB());
    this.at(".exchange").addEventListener("click", () => this.exchange());
    const file = this.at(".file input");
    this.at(".file").hidden = !this.run.takesPictures;
    file.addEventListener("change", () => {
      if (file.files[0]) this.bring(file.files[0]);
      file.value = "";
    });
    const slide = this.at(".slide");
    slide.addEventListener("input", () => this.goAlong(Number(slide.value)));
    this.at(".straight").addEventListener("change", () => {
      if (this.along) this.goAlong(Number(slide.value));
    });
  }

  /** Puts an observation into A (and turns to it) or B. */
  put(slot, start, quietly = false) {
    this[slot] = { ...start, picture: start.picture ?? null };
    const figure = this.at(`.slot.${slot}`);
    figure.classList.remove("empty");
    const canvas = figure.querySelector("canvas");
    if (start.picture) draw(canvas, fromBase64(start.picture), this.run.size);
    const which = start.row === null ? "your picture" : `number ${start.row}`;
    figure.querySelector(".which").textContent = which;
    canvas.setAttribute("aria-label", `Observation ${slot.toUpperCase()}, ${which}`);
    if (slot === "a") {
      const words = Object.entries(start.factors ?? {});
      this.at(".facts").replaceChildren(...words.flatMap(([name, value], i) => {
        const bold = document.createElement("b");
        bold.textContent = value;
        return [i ? ", " : "A: ", `${name} `, bold];
      }));
      if (start.decoded && !this.locks.size) draw(this.canvas, fromBase64(start.decoded), this.run.size);
      this.moved = null;
      this.set(start.code.map((value, c) => [c, value]), { silent: quietly, drawn: Boolean(start.decoded) && !this.locks.size });
    } else {
      this.refresh();
      this.heard(this);
    }
  }

  /** Sets columns of the code; locked ones stay, unless it was their own slider. */
  set(entries, { locked = true, silent = false, drawn = false, along = false, blend = 0 } = {}) {
    for (const [column, value] of entries) {
      if (!locked || !this.locks.has(column) || this.code[column] === undefined) this.code[column] = rounded(value);
    }
    if (!along && this.along) {
      this.along.base = null;
      this.at(".slide").value = 0;
    }
    this.at(".blend").value = blend;
    this.refresh();
    if (!drawn) this.render();
    if (!silent) this.heard(this);
  }

  turn(column, value) {
    this.moved = column;
    this.set([[column, value]], { locked: false });
  }

  choose(part, k) {
    this.set(part.columns.map((column, i) => [column, Number(i === k)]), { locked: false });
  }

  take(columns, slot) {
    if (this[slot]) this.set(columns.map((column) => [column, this[slot].code[column]]), { locked: false });
  }

  mix(share) {
    if (!this.b) return;
    this.stop();
    this.moved = "mix";
    this.set(this.a.code.map((a, c) => [c, (1 - share) * a + share * this.b.code[c]]), { blend: share });
  }

  back() {
    this.stop();
    this.moved = null;
    this.set(this.a.code.map((value, c) => [c, value]));
  }

  copyToB() { this.put("b", this.a); }

  exchange() {
    if (!this.b) return;
    const { a, b } = this;
    this.put("b", a);
    this.put("a", { ...b, decoded: undefined });
  }

  lock(columns, locked) {
    for (const column of columns) {
      if (locked) this.locks.add(column);
      else this.locks.delete(column);
    }
    this.refresh();
    this.heard(this);
  }

  /** A direction between two groups of points. */
  follow(direction) {
    this.along = { ...direction, base: null };
    this.at(".along").hidden = false;
    const told = direction.accuracy === null ? "" : `told apart in ${Math.round(100 * direction.accuracy)} % of cases (chance 50 %)`;
    this.at(".along .note").textContent = told;
    const most = direction.share.map((share, c) => [share, c]).sort((x, y) => y[0] - x[0]);
    this.at(".made-of").textContent = `made of ${most.slice(0, 3).filter(([share]) => share > 0.01)
      .map(([share, c]) => `z${c} ${Math.round(100 * share)} %`).join(", ")}`;
    this.at(".slide").value = 0;
    this.refresh();
  }

  goAlong(t) {
    if (!this.along) return;
    this.stop();
    this.moved = "along";
    this.along.base ??= [...this.code];
    const way = this.at(".straight").checked ? this.along.normal : this.along.step;
    this.set(this.along.base.map((value, c) => [c, value + t * way[c]]), { along: true });
  }

  async random() {
    await this.go(Math.floor(Math.random() * this.run.rows));
  }

  async go(row, slot = "a") {
    this.stop();
    this.put(slot, await (await ask(`${this.path}/start?row=${row}`)).json());
  }

  async point(index, slot = "a") {
    this.stop();
    this.put(slot, await (await ask(`${this.path}/point?point=${index}`)).json());
  }

  async sample() {
    this.stop();
    const seed = Math.floor(Math.random() * 1e9);
    const { code } = await (await ask(`${this.path}/draw?seed=${seed}`)).json();
    this.moved = null;
    this.set(code.map((value, c) => [c, value]));
  }

  async bring(file, slot = "a") {
    this.stop();
    if (file.size > LARGEST) throw new Refused(`a picture has at most ${LARGEST / 2 ** 20} MB, and this one ${Math.ceil(file.size / 2 ** 20)}`);
    const row = this.a?.row ?? "";
    this.put(slot, await (await ask(`${this.path}/encode?row=${row}`, file, { patience: 60000 })).json());
  }

  /** Moves a knob through its range until it is stopped. */
  play(knob, pressed) {
    const again = this.playing?.pressed === pressed;
    this.stop();
    if (again) return;
    const middle = (knob.low + knob.high) / 2;
    const half = (knob.high - knob.low) / 2;
    const phase = Math.asin(Math.max(-1, Math.min(1, (this.code[knob.index] - middle) / half)));
    const begun = performance.now();
    const step = (now) => {
      if (!this.playing) return;
      this.turn(knob.index, middle + half * Math.sin(phase + (now - begun) / 700));
      this.playing.frame = requestAnimationFrame(step);
    };
    pressed.setAttribute("aria-pressed", "true");
    this.playing = { pressed, frame: requestAnimationFrame(step) };
  }

  stop() {
    if (!this.playing) return;
    cancelAnimationFrame(this.playing.frame);
    this.playing.pressed.setAttribute("aria-pressed", "false");
    this.playing = null;
  }

  /** Shows the code on the controls; what has not changed is left alone. */
  refresh() {
    for (const [column, entry] of this.rows) {
      const { row, slider, lock, take, output } = entry;
      const value = this.code[column] ?? 0;
      if (entry.value !== value) {
        entry.value = value;
        if (Number(slider.value) !== value) slider.value = value;
        output.textContent = number(value);
        slider.setAttribute("aria-valuetext", output.textContent);
      }
      const marks = `${this.locks.has(column)} ${this.moved === column} ${this.b === null}`;
      if (entry.marks !== marks) {
        entry.marks = marks;
        lock.setAttribute("aria-pressed", String(this.locks.has(column)));
        row.classList.toggle("locked", this.locks.has(column));
        row.classList.toggle("current", this.moved === column);
        take.disabled = this.b === null;
      }
    }
    for (const update of this.updates) update();
    for (const name of [".blend", ".exchange"]) this.at(name).disabled = this.b === null;
    if (this.along) this.at(".along output").textContent = number(Number(this.at(".slide").value));
  }

  /** Has the page decode by itself, where it can and is fast enough. */
  async localize() {
    const inline = await (await ask(`${this.path}/decoder`)).json();
    if (inline === null) return;
    const decode = untwineDecoder.make(inline.program, inline.weights);
    let least = Infinity; // the first times are the compiler's
    for (let i = 0; i < TRIES && least > SLOWEST / 4; i++) {
      const begun = performance.now();
      decode(this.code);
      least = Math.min(least, performance.now() - begun);
      await new Promise((done) => setTimeout(done));
    }
    if (least >= SLOWEST) return;
    this.local = { decode, shape: inline.program.shape };
    this.renderHere(); // what the server was asked for is passed over
  }

  /** The picture of the code as it is when the browser draws next. */
  renderHere() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      const begun = performance.now();
      untwineDecoder.draw(this.canvas, this.local.decode(this.code), this.local.shape);
      this.milliseconds = performance.now() - begun;
      this.frames += 1;
      this.drawn?.(this);
    });
  }

  /** Asks for the picture of the code; of what cannot be asked at once, the newest alone waits. */
  async render() {
    if (this.local) {
      this.renderHere();
      return;
    }
    this.waiting = true;
    if (this.asking >= AT_ONCE) return;
    this.asking += 1;
    while (this.waiting) {
      this.waiting = false;
      this.asked += 1;
      const turn = this.asked;
      const begun = performance.now();
      try {
        const question = { codes: [this.code], row: this.a?.row ?? null };
        const response = await ask(`${this.path}/decode`, question);
        const bytes = new Uint8Array(await response.arrayBuffer());
        if (this.local || turn < this.newest) continue; // a newer one was faster
        this.newest = turn;
        draw(this.canvas, bytes, this.run.size);
        this.milliseconds = performance.now() - begun;
        this.frames += 1;
        this.drawn?.(this);
      } catch (error) {
        this.asking -= 1;
        if (error instanceof Refused) throw error;
        return; // the connection says so, and renders again when it is back
      }
    }
    this.asking -= 1;
  }

  /** The codes of a film of what was moved last. */
  film() {
    const wave = Array.from({ length: FRAMES }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / FRAMES));
    if (this.moved === "mix" && this.b) {
      return wave.map((t) => this.code.map((z, c) => (this.locks.has(c) ? z : (1 - t) * this.a.code[c] + t * this.b.code[c])));
    }
    if (this.moved === "along" && this.along) {
      const way = this.at(".straight").checked ? this.along.normal : this.along.step;
      const base = this.along.base ?? this.code;
      return wave.map((t) => this.code.map((z, c) => (this.locks.has(c) ? z : base[c] + (3 * t - 1.5) * way[c])));
    }
    const knob = this.run.knobs.find((k) => k.index === this.moved) ?? this.run.knobs[0];
    return wave.map((t) => this.code.map((z, c) => (c === knob.index ? knob.low + t * (knob.high - knob.low) : z)));
  }

  /** What a link holds. */
  get state() {
    return { code: this.code, row: this.a?.row ?? null, b: this.b?.row ?? null, locks: [...this.locks] };
  }

  /** Takes up what a link holds, as far as it fits. */
  async restore(state) {
    const fits = Array.isArray(state?.code) && state.code.length === this.run.codeDim && state.code.every(Number.isFinite);
    if (!fits) return;
    const there = (row) => Number.isInteger(row) && row >= 0 && row < this.run.rows;
    if (there(state.row) && state.row !== this.a?.row) await this.go(state.row);
    if (there(state.b)) await this.go(state.b, "b");
    this.locks = new Set((Array.isArray(state.locks) ? state.locks : []).filter((c) => Number.isInteger(c) && c >= 0 && c < this.run.codeDim));
    this.set(state.code.map((value, c) => [c, value]), { locked: false });
  }
}

function button(text, label) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  if (label !== text) made.setAttribute("aria-label", label);
  return made;
}

function largest(values) {
  return values.reduce((best, value, k) => (value > values[best] ? k : best), 0);
}

/** The distribution of a dimension over the data, above its slider. */
function hills(svg, counts) {
  const top = Math.max(1, ...counts);
  svg.setAttribute("viewBox", `0 0 ${counts.length} 1`);
  const steps = counts.map((count, i) => `V${1 - count / top}H${i + 1}`).join("");
  svg.querySelector("path").setAttribute("d", `M0 1${steps}V1Z`);
}
