// The page: runs, the map, what is saved, and what is said when the server is gone.

import { fromText, toText } from "./link.js";
import { Plane } from "./map.js";
import { Panel } from "./panel.js";
import { download, enlarged } from "./picture.js";
import { Refused, Unanswered, ask, connection, watch } from "./server.js";

const get = (id) => document.getElementById(id);
const main = get("main");
const panels = [];
let plane = null;
let current = 0;

const active = () => panels[current];

function select(index, keepMap = false) {
  current = index;
  const side = main.classList.contains("side");
  panels.forEach((panel, i) => { panel.root.hidden = !side && i !== index; });
  [...document.querySelectorAll('[role="tab"]')].forEach((tab, i) => {
    tab.setAttribute("aria-selected", String(i === index));
    tab.tabIndex = i === index ? 0 : -1;
  });
  title();
  if (!keepMap) plane.show(active());
}

function title() {
  const { run } = active();
  const data = document.createElement("span");
  data.textContent = `on ${run.data}`;
  get("title").replaceChildren(`${run.method} `, data);
  document.title = `${run.method} on ${run.data} · Untwine explorer`;
}

function tabs() {
  const list = document.querySelector(".tabs");
  list.hidden = get("side-label").hidden = panels.length < 2;
  panels.forEach((panel, i) => {
    const tab = document.createElement("button");
    tab.type = "button";
    tab.setAttribute("role", "tab");
    tab.textContent = panel.run.name;
    panel.root.id = `run-${i}`;
    tab.setAttribute("aria-controls", panel.root.id);
    tab.addEventListener("click", () => select(i));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      const next = (i + step + panels.length) % panels.length;
      select(next);
      list.children[next].focus();
    });
    list.append(tab);
    panel.root.addEventListener("pointerdown", () => { if (current !== i) select(i); });
    panel.root.addEventListener("focusin", () => { if (current !== i) select(i); });
  });
}

function setSide(on) {
  get("side").checked = on;
  main.classList.toggle("side", on);
  select(current, true);
  plane.paint();
}

/** The same observation in every run that has the same data. */
function everywhere(row, but) {
  if (!main.classList.contains("side") || row === null) return;
  for (const panel of panels) {
    const same = panel.run.data === but.run.data && panel.run.rows === but.run.rows;
    if (panel !== but && same && panel.a?.row !== row) panel.go(row).catch(say);
  }
}

let later = 0;
function remember() {
  clearTimeout(later);
  later = setTimeout(() => history.replaceState(null, "", `#${toText(state())}`), 250);
}

function state() {
  return {
    run: current,
    side: main.classList.contains("side"),
    map: plane.axes,
    panels: panels.map((panel) => panel.state),
  };
}

async function restore(saved) {
  const index = Number.isInteger(saved.run) && saved.run >= 0 && saved.run < panels.length ? saved.run : 0;
  const states = Array.isArray(saved.panels) ? saved.panels : [];
  for (const [i, panel] of panels.entries()) if (states[i]) await panel.restore(states[i]);
  if (panels.length > 1) setSide(saved.side === true);
  select(index, true);
  plane.show(active(), saved.map ?? {});
}

function show(heading, ...content) {
  get("dialog-title").textContent = heading;
  get("dialog-body").replaceChildren(...content);
  if (!get("dialog").open) get("dialog").showModal();
}

function say(error) {
  if (error instanceof Unanswered) return; // the connection's banner says it
  if (!(error instanceof Refused)) throw error;
  const text = document.createElement("p");
  text.textContent = error.message;
  show("That cannot be done", text);
}

function lines(text) {
  const pre = document.createElement("pre");
  const code = document.createElement("code");
  code.textContent = text;
  pre.append(code);
  const copy = document.createElement("button");
  copy.type = "button";
  copy.textContent = "Copy";
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
    }
  });
  return [pre, copy];
}

const save = {
  async picture() {
    const panel = active();
    download(await enlarged(panel.canvas), `${panel.run.name}.png`);
  },
  async film() {
    const panel = active();
    const question = { codes: panel.film(), row: panel.a?.row ?? null, milliseconds: 50 };
    const response = await ask(`${panel.path}/film`, question, { patience: 60000 });
    download(await response.blob(), `${panel.run.name}.gif`);
  },
  async link() {
    history.replaceState(null, "", `#${toText(state())}`);
    show("This state as a link", ...lines(location.href));
  },
  async lines() {
    const panel = active();
    const question = { codes: [panel.code], row: panel.a?.row ?? null };
    show("The same in Python", ...lines(await (await ask(`${panel.path}/lines`, question)).text()));
  },
};

async function table() {
  const { header, rows, total } = await (await ask(`${active().path}/table`, { points: [...plane.chosen] })).json();
  const made = document.createElement("table");
  const fill = (row, tag, values) => {
    for (const value of values) {
      const cell = document.createElement(tag);
      cell.textContent = typeof value === "number" ? String(value).replace("-", "−") : value;
      row.append(cell);
    }
  };
  fill(made.createTHead().insertRow(), "th", header);
  const body = made.createTBody();
  for (const values of rows) fill(body.insertRow(), "td", values);
  const scroll = document.createElement("div");
  scroll.className = "scroll";
  scroll.tabIndex = 0;
  scroll.append(made);
  const count = total.toLocaleString("en");
  show(total > rows.length ? `The first ${rows.length} of ${count} points` : `${count} points`, scroll);
}

async function csv() {
  const response = await ask(`${active().path}/csv`, { points: [...plane.chosen] }, { patience: 60000 });
  download(await response.blob(), `${active().run.name}.csv`);
}

function wire() {
  for (const [name, action] of Object.entries(save)) {
    get(`save-${name}`).addEventListener("click", () => action().catch(say));
  }
  get("table").addEventListener("click", () => table().catch(say));
  get("csv").addEventListener("click", () => csv().catch(say));
  get("side").addEventListener("change", () => {
    setSide(get("side").checked);
    everywhere(active().a?.row ?? null, active());
    remember();
  });
  document.querySelector("#dialog .close").addEventListener("click", () => get("dialog").close());
  const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) document.body.classList.remove("dragging");
  });
  addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    document.body.classList.remove("dragging");
    const over = panels.find((panel) => panel.root.contains(event.target)) ?? active();
    const slot = event.target.closest?.(".slot.b") ? "b" : "a";
    if (event.dataTransfer.files[0]) over.bring(event.dataTransfer.files[0], slot).catch(say);
  });
  addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((f) => f.type.startsWith("image/"));
    if (file) active().bring(file).catch(say);
  });
  addEventListener("unhandledrejection", (event) => {
    if (!(event.reason instanceof Refused || event.reason instanceof Unanswered)) return;
    event.preventDefault();
    say(event.reason);
  });
}

function tellConnection(next, detail) {
  const status = get("status");
  status.className = next === "live" ? "status" : `status ${next}`;
  get("pace").textContent = "";
  get("connection").textContent = { live: "connected", slow: "slow", gone: "not connected" }[next];
  const lost = get("lost");
  lost.hidden = next !== "gone";
  if (next === "gone") {
    lost.textContent = detail === "token"
      ? "The server was started anew, with another address: open the one that it printed. What you see here is in this page’s link: put what follows # behind it."
      : "The server does not answer. Start it again with the same --port and --token: this page goes on by itself, as it is. Sliders of small nets go on meanwhile.";
  }
  if (next === "live" && detail === "new") location.reload();
  else if (next === "live" && detail) {
    for (const panel of panels) panel.render();
    plane?.extend();
  }
}

function measured(panel) {
  if (connection.state !== "live" && !panel.local) return;
  get("pace").textContent = `· ${Math.max(1, Math.round(panel.milliseconds))} ms a picture`;
}

async function begin() {
  connection.listen(tellConnection);
  wire();
  let runs;
  try {
    runs = await (await ask("api/runs", undefined, { patience: 60000 })).json();
  } catch (error) {
    get("title").textContent = "The explorer does not answer";
    say(error);
    return;
  }
  let row = null;
  const heard = (panel) => {
    remember();
    if (panel === active() && (panel.a?.row ?? null) !== row) {
      row = panel.a?.row ?? null;
      everywhere(row, panel);
    }
  };
  for (const [i, run] of runs.entries()) {
    const panel = new Panel(run, i, heard);
    panel.drawn = measured;
    panels.push(panel);
    get("panels").append(panel.root);
  }
  plane = new Plane((point, slot) => active().point(point, slot).catch(say));
  plane.changed = remember;
  get("bar").hidden = get("map").hidden = false;
  tabs();
  tellConnection("live", "");
  const saved = fromText(location.hash.slice(1));
  if (saved) await restore(saved);
  else if (panels.length > 1 && innerWidth >= 1100) setSide(true);
  select(current, Boolean(saved));
  watch((alive) => plane.grown(alive.points[current]));
  document.documentElement.dataset.ready = "true";
  performance.mark("ready"); // the first picture is drawn
  const local = Promise.all(panels.map((panel) => panel.localize().catch(say)));
  window.untwine = { panels, plane, state, local }; // for tests and for the curious
}

begin();
