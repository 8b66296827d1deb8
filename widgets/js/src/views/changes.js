// The changes that a reader has gathered for a round: the same in the stepper and in every view of its page.
import { useEffect, useMemo } from "preact/hooks";
import { useSame } from "../draw/memo.js";
import { changes, merged, overridesOf } from "../logic/diff.js";
import { isBusy, sender, useShared, useTrait } from "../store.js";
import { S } from "../strings.js";

/** @typedef {import("../contract").Round} Round */
/** @typedef {import("../logic/diff.js").Overrides} Overrides */
/** @typedef {import("../logic/diff.js").Shown} Shown */

const NONE = overridesOf(null);

/**
 * Changes belong to their round: elsewhere there are none yet, and a fork that shows them starts without.
 * @param {import("../store.js").Model} model @param {Shown} branch @param {Round} round
 */
export function useChanges(model, branch, round) {
  const [cursor] = useTrait(model, "cursor");
  const [live] = useTrait(model, "live");
  const [status] = useTrait(model, "status");
  const [kind] = useTrait(model, "kind");
  const place = `${cursor.serial}:${branch.id}:${round.index}`;
  const [held, hold] = useShared(model, "changes", { place, value: NONE });
  const value = held.place === place ? held.value : NONE;
  useEffect(() => {
    if (branch.id) hold({ place: "", value: NONE });
  }, [branch.id]);
  const why = S.notLive[model.still ? "page" : kind === "app" ? "app" : "stepper"];
  /** Put these in place of what was changed before; the rest stays. */
  const change = useSame((/** @type {Partial<Overrides>} */ next) => hold({ place, value: { ...value, ...next } }));
  const { tokens, uniforms, confidence } = value;
  return {
    live,
    why,
    value,
    change,
    /** What the table's cells change. */
    cells: useMemo(() => ({ live, why, tokens, uniforms, confidence, change }), [live, why, tokens, uniforms, confidence]),
    busy: isBusy(status),
    forking: status.state === "forking",
    error: status.where === "fork" ? status.error : "",
    /** Run the round again with what was changed, on top of what it had changed already. @param {Overrides} [also] */
    fork: (also = value) => {
      if (changes(also)) sender(model)({ type: "fork", branch: branch.id, round: round.index, overrides: merged(overridesOf(round.overrides), also) });
    },
  };
}

/** @typedef {ReturnType<typeof useChanges>} Changes */
