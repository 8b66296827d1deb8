// What the browser remembers from one visit to the next, where it may.
import { LANGUAGES } from "./language.js";

/** @typedef {import("./contract").Preferences} Preferences */

/** What a reader chose for every view, and its values but "auto". */
const LASTING = { theme: ["light", "dark"], language: Object.keys(LANGUAGES) };
const NAMES = /** @type {(keyof typeof LASTING)[]} */ (Object.keys(LASTING));

/** @param {string} name */
export function recall(name) {
  try {
    return localStorage.getItem(`dspark-lab.${name}`);
  } catch {
    return null; // storage is switched off
  }
}

/** @param {string} name @param {string} value */
export function remember(name, value) {
  try {
    localStorage.setItem(`dspark-lab.${name}`, value);
  } catch {
    // it is asked again next time
  }
}

/** @param {Preferences} preferences */
export const rememberLook = (preferences) => NAMES.forEach((name) => remember(name, preferences[name]));

/** Let a view begin as its reader last chose, where nothing else was asked of it. @param {import("./store.js").Model} model */
export function recallLook(model) {
  const preferences = /** @type {Preferences | undefined} */ (model.get("preferences"));
  const chosen = NAMES.map((name) => [name, recall(name) ?? ""]).filter(([name, value]) => preferences?.[/** @type {"theme"} */ (name)] === "auto" && LASTING[/** @type {"theme"} */ (name)].includes(value));
  if (!chosen.length) return;
  model.set("preferences", { ...preferences, ...Object.fromEntries(chosen) });
  model.save_changes();
}
