// A reload ends what was at work and forgets what was run. The page says so, and how to go on: the prompt and settings of a run that it
// cut off are back, and the last run can be brought back with its forks.
import { useEffect, useState } from "preact/hooks";
import { html } from "../draw/html.js";
import { kernelAddress } from "../line.js";
import { encode, linkIn, linkTo } from "../logic/permalink.js";
import { isCutOff, sender, useTrait } from "../store.js";
import { LINE } from "../strings.js";

/** @typedef {import("../contract").Controls} Controls */
/** @typedef {import("../contract").Permalink} Permalink */

const KEY = "dspark-unfinished";
const LAST = "dspark-last";

/** @param {string} key @returns {any} */
function read(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key) ?? "null");
  } catch {
    return null; // no storage, or another version's
  }
}

/** @param {string} key @param {Controls | Permalink | null} value */
function keep(key, value) {
  try {
    if (value) sessionStorage.setItem(key, JSON.stringify(value));
    else sessionStorage.removeItem(key);
  } catch {} // without storage a reload forgets
}

/** @param {{ model: import("../store.js").Model }} props */
export function Unfinished({ model }) {
  const [controls, setControls] = useTrait(model, "controls");
  const [status] = useTrait(model, "status");
  const [lost, setLost] = useState(/** @type {Controls | null} */ (null));
  const [last, setLast] = useState(/** @type {Permalink | null} */ (null));
  const hosted = Boolean(kernelAddress());
  const running = status.state === "running" || status.state === "measuring";
  useEffect(() => {
    if (!hosted || !controls || linkIn(location.hash) || isCutOff(model.get("status"))) return;
    const old = read(KEY);
    setLast(read(LAST));
    if (!old || Object.keys(old).join() !== Object.keys(controls).join()) return;
    setLost(old);
    setControls(old);
  }, [model]);
  useEffect(() => {
    if (hosted && !isCutOff(status)) keep(KEY, running ? controls : null);
    if (running) setLost(null), setLast(null);
  }, [running, status.state]);
  useEffect(() => {
    const leave = () => {
      const [trace, info] = [model.get("trace"), model.get("info")];
      if (hosted && trace?.rounds.length && info && !info.example) keep(LAST, linkTo(trace, model.get("branches"), model.get("cursor"), model.get("preferences").tab));
    };
    addEventListener("pagehide", leave);
    return () => removeEventListener("pagehide", leave);
  }, [model]);
  if ((!lost && !last) || isCutOff(status)) return null;
  const send = sender(model);
  const [text, name, action, again] = lost ? [LINE.unfinished, "run-again", LINE.runAgain, () => controls && send({ type: "generate", controls })]
    : [LINE.last(last?.prompt.slice(0, 80) ?? "", last?.forks.length ?? 0), "bring-back", LINE.bringBack, () => last && send({ type: "restore", link: encode(last) })];
  const forget = () => {
    if (!lost) keep(LAST, null), setLast(null);
    setLost(null);
  };
  return html`<div class="dl-notice" role="status" data-testid=${lost ? "unfinished" : "last-run"}>
    <p>${text}</p>
    <div class="dl-line">
      <button data-testid=${name} disabled=${status.state !== "ready"} onClick=${again}>${action}</button>
      <button class="dl-quiet" onClick=${forget}>${LINE.dismiss}</button>
    </div>
  </div>`;
}
