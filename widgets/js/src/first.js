// The page before its kernel is there: a recorded example that can be stepped through, until the live view takes its place.
import { render as draw } from "preact";
import { html } from "./draw/html.js";
import { recallLook } from "./remember.js";
import { sharedOf, startShared, stillModel } from "./store.js";

/** @typedef {import("./store.js").Model} Model */
/** @typedef {import("./contract").ViewState} ViewState */
/** What the server says with the page. @typedef {{ what: "" | "full", limit: number, wait: number }} Word */

const PATIENCE = 30_000;
/** What JupyterLab's widget manager writes in place of a view whose kernel was too busy to tell of it in time. */
const LOST = "Error displaying widget";
const LOOK_EVERY = 500;
/** What a visitor may have changed on it. @type {(keyof ViewState)[]} */
const OWN = ["cursor", "preferences", "controls"];

/** Keep with the tab's place in its history that the page has been loaded anew. @param {boolean} dsparkRetried */
const retried = (dsparkRetried) => history.replaceState({ ...history.state, dsparkRetried }, "");

/**
 * Show it: loaded anew once by itself, as long as nothing was changed on it, where the live view is lost. `window.dsparkFirst` is there for the live view, which comes from another copy of this bundle.
 * @param {HTMLElement} element @param {ViewState} payload @param {Word} word @param {any} Root
 */
export function mountFirst(element, payload, word, Root) {
  const model = { ...stillModel(payload), still: false };
  recallLook(model);
  let fault = /** @type {string} */ (word.what);
  const show = (/** @type {string} */ next) => {
    fault = next;
    if (next === "failed" || next === "full") model.set("status", { ...model.get("status"), state: "lost" }); // nothing is on its way
    draw(html`<${Root} model=${model} fault=${fault} word=${word} />`, element);
  };
  const failed = () => show("failed");
  const late = setTimeout(() => fault || show("late"), PATIENCE);
  addEventListener("dspark-failed", failed);
  const changed = () => Object.fromEntries(OWN.filter((name) => model.get(name) !== payload[name]).map((name) => [name, model.get(name)]));
  const lost = setInterval(() => {
    if (![...document.querySelectorAll(".jupyter-widgets")].some((e) => e.textContent?.startsWith(LOST))) return;
    clearInterval(lost);
    if (history.state?.dsparkRetried || Object.keys(changed()).length) return failed();
    retried(true);
    location.reload();
  }, LOOK_EVERY);
  /** @type {any} */ (window).dsparkFirst = {
    kind: payload.kind,
    changed,
    shared: () => sharedOf(model),
    leave: () => {
      clearTimeout(late);
      clearInterval(lost);
      if (history.state?.dsparkRetried) retried(false);
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
