// A reload in the middle of a run ends the run. Its prompt and settings come back, and the page says so.
import { useEffect, useState } from "preact/hooks";
import { html } from "../draw/html.js";
import { kernelAddress } from "../line.js";
import { linkIn } from "../logic/permalink.js";
import { isCutOff, sender, useTrait } from "../store.js";
import { LINE } from "../strings.js";

/** @typedef {import("../contract").Controls} Controls */

const KEY = "dspark-unfinished";

/** @returns {Controls | null} */
function read() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "null");
  } catch {
    return null; // no storage, or another version's
  }
}

/** @param {Controls | null} controls */
function keep(controls) {
  try {
    if (controls) sessionStorage.setItem(KEY, JSON.stringify(controls));
    else sessionStorage.removeItem(KEY);
  } catch {} // without storage a reload forgets
}

/** @param {{ model: import("../store.js").Model }} props */
export function Unfinished({ model }) {
  const [controls, setControls] = useTrait(model, "controls");
  const [status] = useTrait(model, "status");
  const [lost, setLost] = useState(/** @type {Controls | null} */ (null));
  const hosted = Boolean(kernelAddress());
  const running = status.state === "running" || status.state === "measuring";
  useEffect(() => {
    const old = hosted && controls && !linkIn(location.hash) && !isCutOff(model.get("status")) ? read() : null;
    if (!old || Object.keys(old).join() !== Object.keys(controls ?? {}).join()) return;
    setLost(old);
    setControls(old);
  }, [model]);
  useEffect(() => {
    if (hosted && !isCutOff(status)) keep(running ? controls : null);
    if (running) setLost(null);
  }, [running, status.state]);
  if (!lost || isCutOff(status)) return null;
  const ready = status.state === "ready";
  return html`<div class="dl-notice" role="status" data-testid="unfinished">
    <p>${LINE.unfinished}</p>
    <div class="dl-line">
      <button data-testid="run-again" disabled=${!ready} onClick=${() => controls && sender(model)({ type: "generate", controls })}>${LINE.runAgain}</button>
      <button class="dl-quiet" onClick=${() => setLost(null)}>${LINE.dismiss}</button>
    </div>
  </div>`;
}
