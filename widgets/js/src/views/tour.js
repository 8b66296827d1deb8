// The guided tour: offered to a first visitor, left at any stop. It marks the real thing and moves the place to a moment that shows it.
import { useEffect, useRef, useState } from "preact/hooks";
import { html } from "../draw/html.js";
import { bringIntoView, mark, whenThere } from "../draw/point.js";
import { Rich } from "../draw/rich.js";
import { atStep } from "../logic/place.js";
import { STOPS, bestStep } from "../logic/tour.js";
import { recall, remember } from "../remember.js";
import { useTrait } from "../store.js";
import { TOUR as T } from "../strings.js";
import { useBranches } from "./place.js";

/** @typedef {import("../store.js").Model} Model */
/** @typedef {import("../logic/tour.js").Stop} Stop */

const SEEN = "tour";

/** A bar for who has not been here before. @param {{ onStart: () => void }} props */
export function Offer({ onStart }) {
  const [there, setThere] = useState(() => recall(SEEN) === null);
  const answer = (/** @type {() => void} */ then) => () => {
    remember(SEEN, "seen");
    setThere(false);
    then();
  };
  if (!there) return null;
  return html`<aside class="dl-offer" data-testid="tour-offer" aria-label=${T.title}><p>${T.offer}</p>
    <span><button class="dl-primary" data-testid="tour-start" onClick=${answer(onStart)}>${T.start}</button>
    <button class="dl-quiet" data-testid="tour-decline" onClick=${answer(() => {})}>${T.decline}</button></span></aside>`;
}

/** The stops that this page has. @param {Element} root */
const stopsOf = (root) => STOPS.filter(({ at, tab }) => (tab ? root.querySelector(`[data-testid="tab-${tab}"]`) : root.querySelector(at)));

/** @param {{ model: Model, root: Element, onEnd: () => void }} props */
export function Tour({ model, root, onEnd }) {
  const { rounds } = useBranches(model)[0];
  const [cursor, setCursor] = useTrait(model, "cursor");
  const [preferences, setPreferences] = useTrait(model, "preferences");
  const [stops] = useState(() => stopsOf(root));
  const [number, setNumber] = useState(0);
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const next = useRef(/** @type {HTMLElement | null} */ (null));
  const stop = stops[number];
  useEffect(() => {
    if (box.current?.showPopover && !box.current.matches(":popover-open")) box.current.showPopover();
    const before = document.activeElement;
    return () => before instanceof HTMLElement && before.focus({ preventScroll: true });
  }, []);
  useEffect(() => {
    const step = stop.moment && bestStep(stop.moment, rounds);
    if (step) setCursor({ ...atStep(cursor, step), branch: 0 });
    if (stop.tab) setPreferences({ ...preferences, tab: stop.tab });
    let gone = () => {};
    whenThere(root, stop.at, (node) => {
      bringIntoView(node);
      gone();
      const unmark = mark(node);
      gone = () => void unmark();
    });
    next.current?.focus({ preventScroll: true });
    return () => gone();
  }, [number]);
  const last = number === stops.length - 1;
  /** @param {KeyboardEvent} event */
  const keys = (event) => {
    if (event.key === "Escape") onEnd();
    event.stopPropagation();
  };
  const [heading, text] = T.stops[stop.id];
  return html`<div class="dl-tour" popover="manual" role="dialog" aria-labelledby="dl-tour-title" aria-describedby="dl-tour-text" data-testid="tour" data-stop=${stop.id} ref=${box} onKeyDown=${keys}>
    <div aria-live="polite"><h2 id="dl-tour-title">${heading}</h2><p id="dl-tour-text"><${Rich} text=${text} /></p></div>
    <div class="dl-run"><span class="dl-note dl-num">${T.of(number + 1, stops.length)}</span><span class="dl-grow"></span>
      <button class="dl-quiet" data-testid="tour-leave" onClick=${onEnd}>${T.leave}</button>
      <button data-testid="tour-back" disabled=${number === 0} onClick=${() => setNumber(number - 1)}>${T.back}</button>
      <button class="dl-primary" data-testid="tour-next" ref=${next} onClick=${() => (last ? onEnd() : setNumber(number + 1))}>${last ? T.done : T.next}</button></div>
  </div>`;
}
