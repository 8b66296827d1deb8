// The views below the stepper, one at a time; all of them share its place.
import { useMemo } from "preact/hooks";
import { html } from "../draw/html.js";
import { unhurried, useTrait } from "../store.js";
import { S } from "../strings.js";
import { VIEWS, tabOf, titleOf } from "./views.js";

/** @param {{ model: import("../store.js").Model }} props */
export function Tabs({ model }) {
  const [preferences, setPreferences] = useTrait(model, "preferences");
  const kinds = Object.keys(VIEWS);
  const open = kinds.includes(preferences.tab) ? preferences.tab : kinds[0];
  const { View } = VIEWS[open];
  const second = useMemo(() => unhurried(model), [model]); // the stepper above is painted first
  /** @param {string} kind */
  const show = (kind) => setPreferences({ ...preferences, tab: kind });
  /** @param {KeyboardEvent} event */
  const keys = (event) => {
    const moves = /** @type {Record<string, number>} */ ({ ArrowRight: kinds.indexOf(open) + 1, ArrowLeft: kinds.indexOf(open) - 1, Home: 0, End: kinds.length - 1 });
    if (!(event.key in moves)) return;
    const next = kinds[(moves[event.key] + kinds.length) % kinds.length];
    show(next);
    /** @type {HTMLElement | null} */ (/** @type {HTMLElement} */ (event.currentTarget).querySelector(`[data-testid="tab-${next}"]`))?.focus();
    event.preventDefault();
    event.stopPropagation();
  };
  return html`<div class="dl-tabs">
    <div role="tablist" class="dl-tablist" aria-label=${S.views} onKeyDown=${keys}>
      ${kinds.map((kind) => html`<button role="tab" key=${kind} id=${`dl-tab-${kind}`} data-testid=${`tab-${kind}`} aria-selected=${kind === open ? "true" : "false"} aria-controls="dl-tabpanel"
        tabindex=${kind === open ? 0 : -1} title=${titleOf(kind)} onClick=${() => show(kind)}>${tabOf(kind)}</button>`)}
    </div>
    <div role="tabpanel" id="dl-tabpanel" class="dl-tabpanel" aria-labelledby=${`dl-tab-${open}`} tabindex="0"><h2 class="dl-viewtitle">${titleOf(open)}</h2><${View} model=${second} /></div>
  </div>`;
}
