// Plans of a round: asked of the kernel as fast as it answers, one at a time, the latest wish next.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { isCutOff, sender, useTrait } from "../store.js";

/** @typedef {import("../contract").Plan} Plan */
/** @typedef {import("../logic/diff.js").Overrides} Overrides */

/** Milliseconds after which an answer counts as lost. */
const PATIENCE = 3000;
let latest = 0;

/**
 * The plan of a place with these overrides, and what the kernel says instead. Until it comes, the plan before it shows.
 * @param {import("../store.js").Model} model @param {import("./place.js").Spot} spot @param {Overrides | null} wanted null asks for nothing
 * @returns {{ plan: Plan | undefined, error: string }}
 */
export function usePlan(model, { branch, round }, wanted) {
  const [plans] = useTrait(model, "plans");
  const [status] = useTrait(model, "status");
  const [trace] = useTrait(model, "trace");
  const [cursor] = useTrait(model, "cursor");
  const [, again] = useState(0);
  const asked = useRef({ key: "", number: 0, done: true });
  const there = branch.id > 0 ? !branch.growing : round.index < (trace?.rounds.length ?? 0); // the rounds of a run at work are not Python's yet
  const key = wanted && there && !model.still && !isCutOff(status) ? JSON.stringify([cursor.serial, branch.id, round.index, wanted]) : "";
  const error = status.where === "plan" ? status.error : "";
  if (error || (plans ?? []).some((p) => p.number >= asked.current.number)) asked.current.done = true;
  const { done } = asked.current;
  useEffect(() => {
    if (!key || asked.current.key === key || done) return;
    const timer = setTimeout(() => {
      asked.current.done = true;
      again((n) => n + 1);
    }, PATIENCE);
    return () => clearTimeout(timer);
  }, [key, done]);
  useLayoutEffect(() => { // before the page is painted, so that the kernel works meanwhile
    if (!key || asked.current.key === key || !done) return;
    asked.current = { key, number: ++latest, done: false };
    sender(model)({ type: "plan", branch: branch.id, round: round.index, overrides: /** @type {any} */ (wanted), number: latest });
  }, [key, done]);
  return { plan: (plans ?? []).find((p) => p.branch === branch.id && p.round === round.index), error: key && asked.current.key === key ? error : "" };
}

/** What the scheduler looks at of a reader's changes. @param {Overrides} value @returns {Overrides} */
export function scheduling(value) {
  const { policy, load, step_rate: rate } = value.settings;
  const settings = Object.fromEntries(Object.entries({ policy, load, step_rate: rate }).filter(([, v]) => v !== undefined));
  return { tokens: {}, uniforms: {}, verify_length: null, settings: /** @type {any} */ (settings), confidence: value.confidence };
}
