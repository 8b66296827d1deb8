// The load of the page: how many requests share a step with the reader's own, and how to change that.
import { useState } from "preact/hooks";
import { useTrait } from "../store.js";
import { useChanges } from "./changes.js";
import { usePlace } from "./place.js";

const LOOKED = 64;
const NOWHERE = /** @type {any} */ ({ branch: { id: 0 }, round: { index: -1 } });

/** Requests at once, the reader's own among them. In the app they are those of the round's changes or of the controls, elsewhere what is looked at. @param {import("../store.js").Model} model */
export function usePageLoad(model) {
  const [controls, setControls] = useTrait(model, "controls");
  const [looked, look] = useState(LOOKED);
  const spot = usePlace(model);
  const { value, change } = useChanges(model, (spot ?? NOWHERE).branch, (spot ?? NOWHERE).round);
  if (!controls) return { requests: looked, policy: null, drafts: true, inApp: false, use: look };
  const { settings } = value;
  return {
    requests: Number(settings.load ?? controls.load) + 1,
    policy: String(settings.policy ?? controls.policy),
    drafts: controls.drafter !== "none",
    inApp: true,
    use: (/** @type {number} */ requests) => {
      const load = Math.max(0, requests - 1);
      setControls({ ...controls, load });
      if (spot) change({ settings: { ...settings, load } });
    },
  };
}
