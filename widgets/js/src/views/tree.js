// A round's draft tree: one line a node, siblings in the order in which they are tried.
import { html } from "../draw/html.js";
import { Chip, MARKS } from "../draw/token.js";
import { Rich } from "../draw/rich.js";
import { prob } from "../logic/format.js";
import { walked } from "../logic/tree.js";
import { S } from "../strings.js";

/** @param {{ tree: import("../contract").Tree, now: import("../logic/steps.js").Known }} props */
export function TreeView({ tree, now }) {
  const told = now.final || now.commit;
  return html`<section class="dl-tree" aria-label=${S.tree(tree.nodes.length)} data-testid="tree">
    <h2 class="dl-label">${S.tree(tree.nodes.length)}</h2>
    <ol>${walked(tree).map((node) => {
      const verdict = /** @type {keyof typeof S.verdicts} */ (node.verdict);
      const known = told || verdict === "cut";
      return html`<li style=${`--depth:${node.k - 1}`}>
        <b class=${known ? `dl-is-${verdict}` : ""} title=${known ? S.verdicts[verdict] : S.unknown} aria-label=${known ? S.verdicts[verdict] : S.unknown} role="img">${known ? MARKS[verdict] : "?"}</b>
        <${Chip} token=${node.token} kind=${known ? verdict : "draft"} />
        <span class="dl-num dl-c-draft"><${Rich} text="p_d" /> ${prob(node.p_d)}</span>
        ${now.target && node.p_t !== null && html`<span class="dl-num dl-c-target"><${Rich} text="p_t" /> ${prob(node.p_t)}</span>`}
      </li>`;
    })}</ol>
    <p class="dl-note"><${Rich} text=${S.treeNote} /></p>
  </section>`;
}
