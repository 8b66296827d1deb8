// The walk through a draft tree.

/** @typedef {import("../contract").Tree} Tree */
/** @typedef {import("../contract").Round} Round */

/** Is anything drafted in this round, as a chain or as a tree? @param {Round} round */
export const drafts = (round) => round.gamma > 0 || Boolean(round.tree);

/** The nodes depth first, each behind its parent. @param {Tree} tree */
export function walked(tree) {
  /** @param {number} parent @returns {Tree["nodes"]} */
  const below = (parent) => tree.nodes.flatMap((node, i) => (node.parent === parent ? [node, ...below(i)] : []));
  return below(-1);
}

/** What p_t gave the children that were tried last, all of them rejected. @param {Tree} tree @param {number} k their depth */
export function refused(tree, k) {
  return tree.nodes.reduce((sum, node) => sum + (node.k === k && node.verdict === "rejected" ? node.p_t ?? 0 : 0), 0);
}
