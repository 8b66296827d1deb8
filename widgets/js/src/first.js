// The page before its kernel is there: a recorded example that can be stepped through, until the live view takes its place.
import { render as draw } from "preact";
import { html } from "./draw/html.js";
import { recallLook } from "./remember.js";
import { sharedOf, startShared, stillModel } from "./store.js";

/** @typedef {import("./store.js").Model} Model */
/** @typedef {import("./contract").ViewState} ViewState */
/** What the server says with the page. @typedef {{ what: "" | "full", limit: number, wait: number }} Word */

const PATIENCE = 30_000;
/** What a visitor may have changed on it. @type {(keyof ViewState)[]} */
const OWN = ["cursor", "preferences", "controls"];

/**
 * Show it. `window.dsparkFirst` is there for the live view, which comes from another copy of this bundle.
 * @param {HTMLElement} element @param {ViewState} payload @param {Word} word @param {any} Root
 */
export function mountFirst(element, payload, word, Root) {
  const model = { ...stillModel(payload), still: false };
  recallLook(model);
  let fault = /** @type {string} */ (word.what);
  const show = (/** @type {string} */ next) => {
    fault = next;
    draw(html`<${Root} model=${model} fault=${fault} word=${word} />`, element);
  };
  const failed = () => show("failed");
  const late = setTimeout(() => fault || show("late"), PATIENCE);
  addEventListener("dspark-failed", failed);
  /** @type {any} */ (window).dsparkFirst = {
    kind: payload.kind,
    changed: () => Object.fromEntries(OWN.filter((name) => model.get(name) !== payload[name]).map((name) => [name, model.get(name)])),
    shared: () => sharedOf(model),
    leave: () => {
      clearTimeout(late);
      removeEventListener("dspark-failed", failed);
      draw(null, element);
      element.remove();
    },
  };
  show(/** @type {any} */ (window).dsparkFailed ? "failed" : fault);
}

/** Let a live view go on from where the reader is by now. @param {Model} model */
export function takeOver(model) {
  const place = /** @type {any} */ (window);
  const first = place.dsparkFirst;
  if (!first || first.kind !== model.get("kind")) return () => {};
  const changed = first.changed();
  for (const [name, value] of Object.entries(changed)) model.set(name, value);
  if (Object.keys(changed).length) model.save_changes();
  startShared(model, first.shared());
  delete place.dsparkFirst;
  return first.leave;
}
