// Questions to the server: their time, and whether it is there.

const PATIENCE = 15000; // milliseconds
const listeners = new Set();
let state = "live"; // or "slow", or "gone"
let instance = null;
let asking = null;

export const connection = {
  get state() { return state; },
  listen(listener) { listeners.add(listener); },
};

function become(next, detail = "") {
  if (next === state && !detail) return;
  state = next;
  for (const listener of listeners) listener(state, detail);
}

/** What the server does not do, and why. */
export class Refused extends Error {}

/** There was no answer. */
export class Unanswered extends Error {}

/** Asks the server; `body` is sent as it is (a Blob), or as JSON. */
export async function ask(path, body, { signal, patience = PATIENCE } = {}) {
  const options = { signal: signal ?? AbortSignal.timeout(patience), cache: "no-store" };
  if (body !== undefined) {
    options.method = "POST";
    const raw = body instanceof Blob;
    options.headers = { "Content-Type": raw ? "application/octet-stream" : "application/json" };
    options.body = raw ? body : JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (!signal?.aborted) lose(error.name === "TimeoutError" ? "slow" : "gone");
    throw new Unanswered(error.message);
  }
  if (!response.ok) {
    let text = `the server answers ${response.status}`;
    try { text = (await response.json()).error ?? text; } catch { /* no JSON */ }
    if (response.status === 404 && path !== "api/alive") lose("gone");
    throw new Refused(text);
  }
  if (state !== "live" && asking === null) become("live");
  return response;
}

/** Asks whether the server is there until it is. */
function lose(next) {
  become(next);
  if (asking !== null) return;
  let wait = 500;
  const again = async () => {
    try {
      const options = { signal: AbortSignal.timeout(5000), cache: "no-store" };
      const response = await fetch("api/alive", options);
      if (response.ok) {
        const alive = await response.json();
        asking = null;
        if (instance !== null && alive.instance !== instance) become("live", "new");
        else become("live", "again");
        instance = alive.instance;
        return;
      }
      become("gone", response.status === 404 ? "token" : "");
    } catch { /* still gone */ }
    wait = Math.min(wait * 1.5, 4000);
    asking = setTimeout(again, wait);
  };
  asking = setTimeout(again, wait);
}

/** Looks now and then whether the server is there, and how far the map is. */
export function watch(heard) {
  const look = async () => {
    if (state === "live" && !document.hidden) {
      try {
        const alive = await (await ask("api/alive", undefined, { patience: 6000 })).json();
        instance ??= alive.instance;
        heard(alive);
      } catch { /* said elsewhere */ }
    }
  };
  look();
  setInterval(look, 2000);
}
