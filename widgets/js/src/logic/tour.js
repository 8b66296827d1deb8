// The guided tour as data: where each stop is, and which of the trace's moments shows it best. The words are TOUR in strings.js.
import { headPeaks } from "./heads.js";

/** @typedef {import("../contract").Round} Round */
/** @typedef {import("./steps.js").Step} Step */
/** @typedef {keyof typeof import("../strings.js").TOUR.stops} StopId */
/** @typedef {{ id: StopId, at: string, tab?: string, moment?: "head" | "confidence" | "verdict" }} Stop ``at`` is a selector, ``tab`` the view that is opened for it */

/** @type {Stop[]} */
export const STOPS = [
  { id: "prompt", at: ".dl-ask" },
  { id: "rounds", at: ".dl-rounds" },
  { id: "steps", at: ".dl-sticky" },
  { id: "head", at: ".dl-row-bias", moment: "head" },
  { id: "confidence", at: ".dl-row-survival", moment: "confidence" },
  { id: "verdict", at: ".dl-row-u", moment: "verdict" },
  { id: "whatif", at: ".dl-whatif" },
  { id: "why", at: ".dl-tabs", tab: "rejection", moment: "verdict" },
  { id: "scheduler", at: ".dl-tabs", tab: "scheduler" },
  { id: "load", at: ".dl-tabs", tab: "load" },
  { id: "race", at: ".dl-tabs", tab: "race" },
  { id: "share", at: ".dl-masthead" },
];

/** The step that shows a moment best; null where the rounds have none of it. @param {NonNullable<Stop["moment"]>} moment @param {Round[]} rounds @returns {Step | null} */
export function bestStep(moment, rounds) {
  if (moment === "head") {
    const [peak] = headPeaks(rounds, 1);
    return peak ? { round: peak.round.index, phase: "sequential", k: peak.p.k, sub: "draw" } : null;
  }
  if (moment === "confidence") {
    const round = rounds.find((r) => r.positions.some((p) => p.survival !== null && p.survival < 0.6)) ?? rounds.find((r) => r.positions[0]?.survival != null);
    return round ? { round: round.index, phase: "confidence", k: 0, sub: "" } : null;
  }
  const of = (/** @type {string} */ verdict) => rounds.flatMap((r) => r.positions.filter((p) => p.verdict === verdict).map((p) => ({ r, p })));
  const [shown] = [...of("rejected").filter(({ p }) => (p.p_t ?? 0) > 0.02), ...of("rejected"), ...of("accepted")];
  return shown ? { round: shown.r.index, phase: "accept", k: shown.p.k, sub: "" } : null;
}
