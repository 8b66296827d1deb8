// Lanes of a race: how each is drawn, and the tokens of a block.

/** Tokens that a round gave: what was accepted, and its last one. @param {import("../contract").Piece[]} block */
export const emitted = (block) => block.filter((p) => ["accepted", "residual", "bonus", "plain"].includes(p.kind)).length;

/** @type {Record<string, { look: string, mark: string, dash: string }>} */
const KNOWN = {
  dspark: { look: "draft", mark: "circle", dash: "" },
  dflash: { look: "ok", mark: "triangle", dash: "7 4" },
  eagle3: { look: "bonus", mark: "star", dash: "9 3 2 3" },
  mtp: { look: "target", mark: "square", dash: "5 2" },
  "early-exit": { look: "no", mark: "diamond", dash: "12 4" },
  "prompt-lookup": { look: "text", mark: "square", dash: "5 2" },
  none: { look: "muted", mark: "cross", dash: "2 3" },
};
const LEFT = ["no", "text", "target", "ok", "draft", "bonus"].flatMap((look, i) => [{ look, mark: ["square", "triangle", "star", "circle", "diamond"][i % 5], dash: ["12 4", "1 4", "5 2"][i % 3] }]);

/** A look of its own for each lane. @param {string[]} names */
export function looksOf(names) {
  const others = names.filter((name) => !(name in KNOWN));
  return Object.fromEntries(names.map((name) => [name, KNOWN[name] ?? LEFT[others.indexOf(name) % LEFT.length]]));
}
