"use strict";
(() => {
  const data = document.getElementById("traversal-data");
  if (!data) return;
  document.documentElement.classList.add("js");
  const { frames, width, height, initial, values } = JSON.parse(data.textContent);
  const grid = document.getElementById("tiles");
  const slider = document.getElementById("position");
  const play = document.getElementById("play");
  const strips = document.getElementById("strips");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let start = 0;
  let sheet = document.getElementById("sheet-0");
  let printing = false;

  const tiles = [...grid.querySelectorAll(".tile")].map((tile, row) => ({
    row,
    frame: 0,
    canvas: tile.querySelector("canvas"),
    track: tile.querySelector(".track"),
    output: tile.querySelector("output"),
  }));
  grid.style.setProperty("--step", `${100 / frames}%`);

  function draw(tile) {
    const { canvas, row, frame } = tile;
    const whole = strips.checked || printing;
    const gap = Math.max(1, Math.round(width / 32));
    const step = width + gap;
    const columns = whole ? frames : 1;
    if (canvas.width !== columns * step - gap) canvas.width = columns * step - gap;
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, height);
    for (let i = 0; i < columns; i++) {
      const from = (whole ? i : frame) * width;
      context.drawImage(sheet, from, row * height, width, height, i * step, 0, width, height);
    }
    if (whole) {
      context.strokeStyle = getComputedStyle(grid).getPropertyValue("--warm");
      context.lineWidth = 2 * gap;
      context.strokeRect(frame * step, 0, width, height);
    }
    const value = values[row][frame].toFixed(2).replace("-", "−");
    tile.output.textContent = value;
    tile.track.style.setProperty("--at", `${(100 * frame) / frames}%`);
    canvas.setAttribute("aria-valuenow", frame + 1);
    canvas.setAttribute("aria-valuetext", value);
  }

  function move(tile, frame) {
    const next = Math.min(frames - 1, Math.max(0, frame));
    if (next === tile.frame) return;
    tile.frame = next;
    draw(tile);
  }

  function moveAll(frame) {
    slider.value = frame;
    for (const tile of tiles) move(tile, frame);
  }

  function reset() {
    stop();
    slider.value = Math.floor(frames / 2);
    for (const tile of tiles) {
      tile.frame = initial[start][tile.row];
      draw(tile);
    }
  }

  async function choose(number) {
    const chosen = document.getElementById(`sheet-${number}`);
    await chosen.decode();
    sheet = chosen;
    start = number;
    for (const tile of tiles) draw(tile);
  }

  let timer = 0;
  function stop() {
    clearInterval(timer);
    timer = 0;
    play.setAttribute("aria-pressed", "false");
    play.textContent = "Play";
  }
  function go() {
    let way = 1;
    play.setAttribute("aria-pressed", "true");
    play.textContent = "Pause";
    timer = setInterval(() => {
      const at = Number(slider.value);
      if (at + way < 0 || at + way >= frames) way = -way;
      moveAll(at + way);
    }, calm.matches ? 400 : 90);
  }

  for (const tile of tiles) {
    const scrub = (event) => {
      if (strips.checked) return;
      const box = tile.canvas.getBoundingClientRect();
      move(tile, Math.floor(((event.clientX - box.left) / box.width) * frames));
    };
    tile.canvas.addEventListener("pointermove", scrub);
    tile.canvas.addEventListener("pointerdown", scrub);
    tile.canvas.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -4, PageUp: 4 };
      let frame = tile.frame;
      if (event.key in steps) frame += steps[event.key];
      else if (event.key === "Home") frame = 0;
      else if (event.key === "End") frame = frames - 1;
      else return;
      event.preventDefault();
      move(tile, frame);
    });
  }
  slider.addEventListener("input", () => { stop(); moveAll(Number(slider.value)); });
  play.addEventListener("click", () => (timer ? stop() : go()));
  document.getElementById("reset").addEventListener("click", reset);
  strips.addEventListener("change", () => {
    grid.classList.toggle("strips", strips.checked);
    for (const tile of tiles) draw(tile);
  });
  for (const radio of document.querySelectorAll('input[name="start"]')) {
    radio.addEventListener("change", () => choose(Number(radio.value)).then(reset));
  }
  function print(on) {
    printing = on;
    grid.classList.toggle("strips", on || strips.checked);
    for (const tile of tiles) draw(tile);
  }
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));

  const chosen = document.querySelector('input[name="start"]:checked');
  choose(Number(chosen ? chosen.value : 0)).then(reset);
})();
