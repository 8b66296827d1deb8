// The place that all views of a model share, and the ways to move it.
import { useMemo } from "preact/hooks";
import { assemble } from "../logic/diff.js";
import { atStep, selected } from "../logic/place.js";
import { allSteps, endOf, known, locate } from "../logic/steps.js";
import { useStream, useTrait } from "../store.js";
import { S } from "../strings.js";

/** @typedef {import("../store.js").Model} Model */

/** The original and its forks. @param {Model} model */
export function useBranches(model) {
  const { rounds, fork } = useStream(model);
  const [branches] = useTrait(model, "branches");
  return useMemo(() => assemble(rounds, branches ?? [], S.original, fork), [rounds, branches, S.original, fork]);
}

/** Null where the trace has no rounds. @param {Model} model */
export function usePlace(model) {
  const shown = useBranches(model);
  const [cursor, setCursor] = useTrait(model, "cursor");
  const branch = shown.find((b) => b.id === cursor?.branch) ?? shown[0];
  const steps = useMemo(() => allSteps(branch.rounds), [branch.rounds]);
  if (!steps.length) return null;
  const step = steps[locate(steps, cursor)];
  const round = branch.rounds[step.round];
  return {
    branch,
    round,
    now: known(step, round),
    place: selected(cursor, step, round),
    /** @param {number} k @param {string} row @param {number} [number] another round, as it ends */
    select: (k, row, number = step.round) => setCursor({ ...cursor, ...(number === step.round ? step : steps[endOf(steps, number)]), at: k, row }),
    /** @param {number} number */
    toRound: (number) => setCursor(atStep(cursor, steps[endOf(steps, number)])),
  };
}

/** @typedef {NonNullable<ReturnType<typeof usePlace>>} Spot */
