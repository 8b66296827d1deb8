// The steps of a trace, one after the other, and what is known at each of them.

/** @typedef {import("../contract").Round} Round */
/** @typedef {import("../contract").Trace} Trace */
/** @typedef {import("../contract").Phase} Phase */
/** @typedef {{ round: number, phase: Phase, k: number, sub: string }} Step */

/** @type {Phase[]} */
export const PHASES = ["prompt", "parallel", "sequential", "confidence", "schedule", "verify", "accept", "commit"];

/** Which stages a round has: a drafter without one leaves its fields null. @param {Round} round */
export function stages(round) {
  const first = round.positions[0];
  return {
    draft: round.gamma > 0,
    base: first !== undefined && first.p_base !== null,
    bias: first !== undefined && first.bias !== null,
    confidence: first !== undefined && first.confidence !== null,
  };
}

/** Number of positions whose verdict is drawn one by one: the accepted ones and the first rejected. @param {Round} round */
export function judged(round) {
  return round.positions.filter((p) => p.verdict === "accepted" || p.verdict === "rejected").length;
}

/** The steps of one round, in order. @param {Round} round @returns {Step[]} */
export function stepsOfRound(round) {
  const has = stages(round);
  /** @type {Step[]} */
  const steps = [];
  /** @param {Phase} phase @param {number} [k] @param {string} [sub] */
  const add = (phase, k = 0, sub = "") => steps.push({ round: round.index, phase, k, sub });
  add("prompt");
  if (has.base) add("parallel");
  for (const p of round.positions) {
    if (has.bias) add("sequential", p.k, "bias");
    add("sequential", p.k, "draw");
  }
  if (has.confidence) add("confidence");
  if (has.draft) add("schedule");
  add("verify");
  for (let k = 1; k <= judged(round); k++) add("accept", k);
  if (round.final.token) add("accept", round.final.position, "final");
  add("commit");
  return steps;
}

/** The steps of all rounds. @param {Round[]} rounds */
export function allSteps(rounds) {
  return rounds.flatMap(stepsOfRound);
}

/** The phases that a round goes through. @param {Round} round @returns {Set<Phase>} */
export function phasesOf(round) {
  return new Set(stepsOfRound(round).map((step) => step.phase));
}

/** @param {Step} step */
const order = (step) => PHASES.indexOf(step.phase) * 1000 + step.k * 10 + (step.sub === "bias" ? 0 : step.sub ? 2 : 1);

/**
 * Index of the step at a place, or of the last one not after it (a fork may lack the place).
 * @param {Step[]} steps @param {Step} place
 */
export function locate(steps, place) {
  let found = 0;
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i];
    if (step.round > place.round) break;
    if (step.round < place.round || order(step) <= order(place)) found = i;
  }
  return found;
}

/**
 * First step of a phase in a round, or the next one there is.
 * @param {Step[]} steps @param {number} round @param {Phase} phase
 */
export function startOf(steps, round, phase) {
  const wanted = PHASES.indexOf(phase);
  const at = steps.findIndex((s) => s.round === round && PHASES.indexOf(s.phase) >= wanted);
  return at < 0 ? steps.length - 1 : at;
}

/** Last step of a round. @param {Step[]} steps @param {number} round */
export function endOf(steps, round) {
  let found = 0;
  steps.forEach((s, i) => {
    if (s.round === round) found = i;
  });
  return found;
}

/**
 * What is known of its round at a step. bias, draft and verdict hold for positions up to that number.
 * @param {Step} step @param {Round} round
 */
export function known(step, round) {
  const at = PHASES.indexOf(step.phase);
  const past = (/** @type {Phase} */ phase) => at > PHASES.indexOf(phase);
  const here = (/** @type {Phase} */ phase) => step.phase === phase;
  const whole = round.gamma;
  const last = step.sub === "final" || past("accept");
  const judgedHere = here("accept") ? (last ? judged(round) : step.k) : past("accept") ? whole : 0;
  const over = past("verify") && judgedHere >= judged(round);
  return {
    base: at >= PHASES.indexOf("parallel"),
    bias: past("sequential") ? whole : here("sequential") ? step.k : 0,
    draft: past("sequential") ? whole : here("sequential") ? (step.sub === "bias" ? step.k - 1 : step.k) : 0,
    confidence: at >= PHASES.indexOf("confidence"),
    schedule: at >= PHASES.indexOf("schedule"),
    target: at >= PHASES.indexOf("verify"),
    verdict: over ? whole : judgedHere,
    final: last,
    commit: here("commit"),
  };
}

/** @typedef {ReturnType<typeof known>} Known */
