// A view by itself, in a notebook cell or on a page of its own: its name, the theme, the rounds, and errors of no place.
import { Failure } from "../draw/failure.js";
import { html } from "../draw/html.js";
import { isBusy, sender, useTrait } from "../store.js";
import { BranchTabs, Diff } from "./branches.js";
import { RoundList } from "./header.js";
import { Look } from "./look.js";
import { useBranches, usePlace } from "./place.js";
import { SavePage } from "./savepage.js";

/** @typedef {import("../store.js").Model} Model */

/** The rounds of the trace, to choose from. @param {{ model: Model }} props */
function Rounds({ model }) {
  const spot = usePlace(model);
  if (!spot) return null;
  return html`<${RoundList} rounds=${spot.branch.rounds} current=${spot.round.index} onPick=${spot.toRound} />`;
}

/** Forks that were made here, to choose from, and what the shown one changed. @param {{ model: Model }} props */
function Forks({ model }) {
  const shown = useBranches(model);
  const [cursor, setCursor] = useTrait(model, "cursor");
  const [live] = useTrait(model, "live");
  const [status] = useTrait(model, "status");
  const branch = shown.find((b) => b.id === cursor.branch) ?? shown[0];
  const parent = shown.find((b) => b.id === branch.parent);
  return html`<${BranchTabs} shown=${shown} active=${branch.id} live=${live && !isBusy(status)} onPick=${(/** @type {number} */ id) => setCursor({ ...cursor, branch: id })} onDelete=${(/** @type {number} */ id) => sender(model)({ type: "delete", branch: id })} />
    ${parent && html`<${Diff} parent=${parent} fork=${branch} />`}`;
}

/** @param {{ model: Model, title: string, rounds: boolean, children?: any }} props */
export function Frame({ model, title, rounds, children }) {
  const [preferences, setPreferences] = useTrait(model, "preferences");
  const [status] = useTrait(model, "status");
  return html`<div class="dl-frame">
    <div class="dl-line"><h2 class="dl-viewtitle">${title}</h2><span class="dl-look"><${SavePage} model=${model} /><${Look} preferences=${preferences} setPreferences=${setPreferences} /></span></div>
    <${Failure} text=${status.where === "request" && status.error} />
    ${rounds && html`<${Forks} model=${model} /><${Rounds} model=${model} />`}
    ${children}
  </div>`;
}
