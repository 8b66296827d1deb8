// The load of the page: how many requests share a step with the reader's own, and how to change that.
import { useState } from "preact/hooks";
import { useTrait } from "../store.js";

const LOOKED = 64;

/** Requests at once, the reader's own among them. In the app they are those of its controls, elsewhere what is looked at. @param {import("../store.js").Model} model */
export function usePageLoad(model) {
  const [controls, setControls] = useTrait(model, "controls");
  const [looked, look] = useState(LOOKED);
  if (!controls) return { requests: looked, policy: null, drafts: true, inApp: false, use: look };
  return { requests: controls.load + 1, policy: controls.policy, drafts: controls.drafter, inApp: true, use: (/** @type {number} */ requests) => setControls({ ...controls, load: Math.max(0, requests - 1) }) };
}
