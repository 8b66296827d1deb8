// Where the selection stands: the position that the reader chose, else the one that the step is about.

/** @typedef {import("../contract").Round} Round */
/** @typedef {import("../contract").Cursor} Cursor */
/** @typedef {import("./steps.js").Step} Step */
/** @typedef {{ row: string, k: number }} Place */

/** A step's own position, or else the one that decided the round once that is known. @param {Step} step @param {Round} round @returns {Place} */
export function placeOf(step, round) {
  const { gamma, positions } = round;
  if (step.phase === "sequential") return { row: step.sub === "bias" ? "bias" : "draft", k: step.k };
  if (step.phase === "accept") return { row: "verdict", k: step.sub === "final" ? gamma + 1 : step.k };
  const rejected = positions.find((p) => p.verdict === "rejected");
  return { row: "token", k: step.phase === "commit" && rejected ? rejected.k : 1 };
}

/** The cursor's place: as chosen, where the round has it; ``byHand`` says whether it was. @param {Cursor} cursor @param {Step} step @param {Round} round */
export function selected(cursor, step, round) {
  const natural = placeOf(step, round);
  const byHand = cursor.at > 0 && cursor.at <= round.gamma + 1;
  return { ...(byHand ? { row: cursor.row || natural.row, k: cursor.at } : natural), byHand };
}

/** A cursor at a step, with nothing chosen. @param {Cursor} cursor @param {Step} step @returns {Cursor} */
export const atStep = (cursor, step) => ({ ...cursor, ...step, at: 0, row: "" });

/** Is a cell's story already told at this step? @param {Place} place @param {import("./steps.js").Known} now @param {number} gamma */
export function told({ row, k }, now, gamma) {
  if (k > gamma) return now.final || now.commit;
  if (row === "base") return now.base;
  if (row === "bias") return k <= now.bias;
  if (row === "token" || row === "draft") return k <= now.draft;
  if (row === "conf" || row === "survival") return now.schedule;
  return k <= now.verdict;
}
