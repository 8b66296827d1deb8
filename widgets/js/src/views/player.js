// Where the reader is, and every way to move: buttons, the slider, keys, playing.
import { useEffect, useMemo, useState } from "preact/hooks";
import { useSame } from "../draw/memo.js";
import { atStep } from "../logic/place.js";
import { allSteps, endOf, locate, startOf } from "../logic/steps.js";

/** @typedef {import("../contract").Cursor} Cursor */
/** @typedef {import("../contract").Phase} Phase */
/** @typedef {import("../logic/diff.js").Shown} Shown */

/**
 * @param {Shown} branch @param {Cursor} cursor @param {(cursor: Cursor) => void} setCursor
 * @param {number} speed steps a second @param {(index: number) => boolean} mayPass whether playing may leave a step
 */
export function usePlayer(branch, cursor, setCursor, speed, mayPass) {
  const steps = useMemo(() => allSteps(branch.rounds), [branch.rounds]);
  const index = steps.length ? locate(steps, cursor) : 0;
  const [playing, setPlaying] = useState(false);
  const goTo = useSame((/** @type {number} */ wanted) => {
    const step = steps[Math.max(0, Math.min(steps.length - 1, wanted))];
    if (step) setCursor(atStep(cursor, step));
  });
  const last = steps.length - 1;
  useEffect(() => {
    if (!playing) return;
    if (index >= last || !mayPass(index)) return setPlaying(false);
    const timer = setTimeout(() => goTo(index + 1), 1000 / speed);
    return () => clearTimeout(timer);
  }, [playing, index, last, speed]);
  const { rounds } = branch;
  return useMemo(() => {
    const round = steps[index]?.round ?? 0;
    const move = (/** @type {number} */ to) => (setPlaying(false), goTo(to));
    return {
      steps,
      index,
      playing,
      step: steps[index],
      goTo,
      pause: () => setPlaying(false),
      toggle: () => {
        if (!playing && index >= last) goTo(0);
        setPlaying(!playing);
      },
      forward: () => move(index + 1),
      back: () => move(index - 1),
      toPhase: (/** @type {Phase} */ phase) => move(startOf(steps, round, phase)),
      /** A round as it ends, or as it stands before what can be guessed of it. @param {number} wanted @param {boolean} [early] */
      toRound: (wanted, early = false) => {
        if (wanted < 0 || wanted >= rounds.length) return;
        move(early ? startOf(steps, wanted, rounds[wanted].schedule ? "confidence" : "verify") : endOf(steps, wanted));
      },
      replay: () => move(startOf(steps, round, "prompt")),
    };
  }, [steps, index, playing, rounds]);
}

/** @typedef {ReturnType<typeof usePlayer>} Player */

/**
 * What a key does; true when it did something. Keys typed into fields, and arrows inside the table, are theirs.
 * @param {KeyboardEvent} event @param {Player} player @param {(by: number) => void} moveRound
 */
export function handleKey(event, player, moveRound) {
  const target = /** @type {HTMLElement} */ (event.composedPath()[0] ?? event.target);
  if (event.ctrlKey || event.metaKey || event.altKey || target.closest?.("input,textarea,select,[contenteditable=true]")) return false;
  const inGrid = target.closest?.("[role=gridcell]");
  const onButton = target.closest?.("button,a,summary");
  switch (event.key) {
    case "ArrowRight":
      if (inGrid && !event.shiftKey) return false;
      event.shiftKey ? moveRound(1) : player.forward();
      return true;
    case "ArrowLeft":
      if (inGrid && !event.shiftKey) return false;
      event.shiftKey ? moveRound(-1) : player.back();
      return true;
    case " ":
      if (onButton) return false;
      player.toggle();
      return true;
    case "Home":
      player.goTo(0);
      return true;
    case "End":
      player.goTo(player.steps.length - 1);
      return true;
    default:
      return false;
  }
}
