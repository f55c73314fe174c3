"use strict";
(() => {
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const NARROWEST = 40; // pixels of a frame in a strip

  function set(root) {
    const at = (name) => root.querySelector(name);
    const { frames, width, height, initial, values } = JSON.parse(at('script[type="application/json"]:not(.live-program)').textContent);
    const grid = at(".tiles");
    const grids = [...root.querySelectorAll(".tiles")];
    const folded = at(".folded");
    const slider = at(".position");
    const play = at(".play");
    const whole = at(".whole");
    const sheets = [...root.querySelectorAll(".sheets img")];
    let start = 0;
    let printing = false;
    let stride = 1; // from one frame of a strip to the next

    const tiles = [...root.querySelectorAll(".tile")].map((tile, row) => ({
      row,
      frame: 0,
      canvas: tile.querySelector("canvas"),
      track: tile.querySelector(".track"),
      output: tile.querySelector("output"),
    }));
    for (const each of grids) each.style.setProperty("--step", `${100 / frames}%`);

    function draw(tile) {
      const { canvas, row, frame } = tile;
      const strip = whole.checked || printing;
      const gap = Math.max(1, Math.round(width / 32));
      const step = width + gap;
      const columns = strip ? Math.ceil(frames / stride) : 1;
      if (canvas.width !== columns * step - gap) canvas.width = columns * step - gap;
      const context = canvas.getContext("2d");
      context.clearRect(0, 0, canvas.width, height);
      for (let i = 0; i < columns; i++) {
        const from = (strip ? i * stride : frame) * width;
        context.drawImage(sheets[start], from, row * height, width, height, i * step, 0, width, height);
      }
      if (strip) {
        context.strokeStyle = getComputedStyle(grid).getPropertyValue("--warm");
        context.lineWidth = 2 * gap;
        context.strokeRect(Math.round(frame / stride) * step, 0, width, height);
      }
      const value = values[row][frame].toFixed(2).replace("-", "−");
      tile.output.textContent = value;
      tile.track.style.setProperty("--at", `${(100 * frame) / frames}%`);
      canvas.setAttribute("aria-valuenow", frame + 1);
      canvas.setAttribute("aria-valuetext", value);
    }

    function lay() {
      const strip = whole.checked || printing;
      for (const each of grids) each.classList.toggle("strips", strip);
      stride = 1;
      while (strip && frames > 4 * stride && tiles[0].canvas.clientWidth * stride < NARROWEST * frames) stride *= 2;
      for (const tile of tiles) draw(tile);
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
      turn?.(start);
    }

    async function choose(number) {
      await sheets[number].decode();
      start = number;
      reset();
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
        const now = Number(slider.value);
        if (now + way < 0 || now + way >= frames) way = -way;
        moveAll(now + way);
      }, calm.matches ? 400 : 90);
    }

    for (const tile of tiles) {
      const scrub = (event) => {
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
    at(".reset").addEventListener("click", reset);
    whole.addEventListener("change", lay);
    addEventListener("resize", lay);
    for (const radio of root.querySelectorAll(".starts input")) {
      radio.addEventListener("change", () => choose(Number(radio.value)));
    }
    if (folded) folded.addEventListener("toggle", lay);
    addEventListener("beforeprint", () => { printing = true; lay(); });
    addEventListener("afterprint", () => { printing = false; lay(); });

    const turn = at(".live") ? live(at(".live")) : null;
    const chosen = at(".starts input:checked");
    choose(Number(chosen ? chosen.value : 0)).then(lay);
  }

  /** Sliders over a decoder that runs here; returns what turns them to the code of a start. */
  function live(root) {
    const at = (name) => root.querySelector(name);
    const program = JSON.parse(at(".live-program").textContent);
    const decode = untwineDecoder.make(program, at(".live-weights").textContent);
    const canvas = at("canvas");
    const sliders = [...root.querySelectorAll("input")];
    // a slider sets one number of the code, or how far the code has gone along a direction
    const ways = new Map(sliders.filter((s) => s.dataset.direction).map((s) => [s, JSON.parse(s.dataset.direction)]));
    let from = program.starts[0];
    let code = [...from];
    const gone = (way) => way.reduce((sum, v, i) => sum + v * (code[i] - from[i]), 0);
    const valueOf = (slider) => (ways.has(slider) ? gone(ways.get(slider)) : code[slider.dataset.index]);
    function put(slider, value) {
      const way = ways.get(slider);
      if (!way) { code[slider.dataset.index] = value; return; }
      const step = value - gone(way);
      way.forEach((v, i) => { code[i] += step * v; });
    }
    let waiting = 0;
    canvas.classList.toggle("fine", Math.max(...program.shape.slice(1)) > 128);
    root.code = () => code;
    root.decode = decode;

    function paint() {
      waiting = 0;
      untwineDecoder.draw(canvas, decode(code), program.shape);
    }
    function show() {
      for (const slider of sliders) {
        const value = valueOf(slider);
        slider.value = value;
        const text = value.toFixed(2).replace("-", "−");
        slider.nextElementSibling.textContent = text;
        slider.setAttribute("aria-valuetext", text);
      }
      waiting ||= requestAnimationFrame(paint);
    }
    for (const slider of sliders) {
      slider.addEventListener("input", () => {
        put(slider, Number(slider.value));
        show();
      });
    }
    at(".live-random").addEventListener("click", () => {
      for (const slider of sliders) {
        if (ways.has(slider)) continue;
        const low = Number(slider.min), high = Number(slider.max);
        code[slider.dataset.index] = low + (0.2 + 0.6 * Math.random()) * (high - low);
      }
      show();
    });
    return (number) => {
      from = program.starts[number];
      code = [...from];
      show();
    };
  }

  const every = document.querySelectorAll(".knobs");
  if (every.length) document.documentElement.classList.add("js");
  every.forEach(set);
})();
