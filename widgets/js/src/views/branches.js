// The original and its forks, and what a fork changed.
import { html } from "../draw/html.js";
import { Icon } from "../draw/icons.js";
import { memo } from "../draw/memo.js";
import { Rich } from "../draw/rich.js";
import { Flow } from "../draw/token.js";
import { align, emitted } from "../logic/diff.js";
import { forkSentence } from "../logic/facts.js";
import { S } from "../strings.js";

/** @typedef {import("../logic/diff.js").Shown} Shown */

/** @param {{ shown: Shown[], active: number, onPick: (id: number) => void, onDelete: (id: number) => void, live: boolean }} props */
export function BranchTabs({ shown, active, onPick, onDelete, live }) {
  if (shown.length < 2) return null;
  return html`<nav class="dl-branches" aria-label=${S.branches}>
    ${shown.map((b) => html`<span class=${`dl-branch ${b.id === active ? "dl-on" : ""}`} key=${b.id}>
      <button data-testid=${`branch-${b.id}`} aria-current=${b.id === active ? "true" : undefined} onClick=${() => onPick(b.id)}>${b.id > 0 && html`<${Icon} name="fork" /> `}${b.name}</button>
      ${b.id > 0 && html`<button class="dl-quiet" data-testid=${`delete-branch-${b.id}`} aria-label=${S.deleteBranch(b.name)} disabled=${!live} onClick=${(/** @type {any} */ e) => (e.currentTarget.closest("nav").querySelector("button").focus(), onDelete(b.id))}><${Icon} name="remove" /></button>`}
    </span>`)}
  </nav>`;
}

/** Two texts under each other, what only one has marked, and the smallest cause. A fork at work is held against as much of the original. */
export const Diff = memo((/** @type {{ parent: Shown, fork: Shown }} */ { parent, fork }) => {
  const made = emitted(fork.rounds);
  const parts = align(emitted(parent.rounds).slice(0, fork.growing ? made.length : undefined), made);
  const same = parts.every((part) => part.kind === "same");
  /** @param {"a" | "b"} side */
  const line = (side) => parts.filter((part) => part.kind === "same" || part.kind === side)
    .map((part) => html`<${Flow} token=${part.token} kind=${part.kind === "same" ? "" : `only-${side}`} />`);
  return html`<section class="dl-diff" data-testid="diff" aria-label=${S.diff(parent.name, fork.name)}>
    <h2 class="dl-label">${S.diff(parent.name, fork.name)}</h2>
    <p class="dl-diffcause" data-testid="diff-cause"><${Rich} text=${forkSentence(parent, fork)} /></p>
    ${same ? html`<p class="dl-note">${S.diffSame}</p>` : html`<dl class="dl-difftexts">
      <dt>− ${parent.name}</dt><dd>${line("a")}</dd><dt>+ ${fork.name}</dt><dd>${line("b")}</dd>
    </dl>`}
    ${fork.growing && html`<p class="dl-note" role="status">${S.forking}</p>`}
  </section>`;
});
