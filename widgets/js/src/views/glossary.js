// The glossary: every term with its equation and, where there are any, the numbers of the selected position.
import { createContext } from "preact";
import { useContext, useEffect, useRef, useState } from "preact/hooks";
import { EquationView, equation, finalEquation, overlapEquation, scheduleEquation, tauEquation } from "../draw/equations.js";
import { ENTRIES, IDS, explain } from "../draw/glossary.js";
import { html } from "../draw/html.js";
import { Icon } from "../draw/icons.js";
import { math } from "../draw/math.js";
import { pointAt } from "../draw/point.js";
import { Popup } from "../draw/popup.js";
import { showToken } from "../logic/format.js";
import { told } from "../logic/place.js";
import { useTrait } from "../store.js";
import { GLOSSARY, GLOSSARY_PAGE as P, TABS } from "../strings.js";
import { usePlace } from "./place.js";

/** @typedef {import("../draw/glossary.js").Id} Id */
/** @typedef {import("../draw/glossary.js").Equation} Equation */
/** @typedef {import("./place.js").Spot} Spot */
/** @typedef {import("../store.js").Model} Model */

/** Opens the glossary, at an entry. */
export const OpenGlossary = createContext((/** @type {string} */ _id = "") => {});

export function GlossaryButton() {
  const open = useContext(OpenGlossary);
  return html`<button class="dl-quiet" data-testid="glossary-open" aria-haspopup="dialog" aria-keyshortcuts="g" title=${P.hint} onClick=${() => open("")}>${P.title}</button>`;
}

/** What the numbers of the selected position make of an entry. @param {Id} id @param {Spot} spot @returns {Equation | null} */
function live(id, { round, now, place, branch }) {
  const p = round.positions[place.k - 1];
  const ended = now.final || now.commit;
  const { row } = ENTRIES[id];
  switch (id) {
    case "anchor":
      return explain(id, [math`x_0 = ${html`<span class="dl-tok">${showToken(round.anchor.text)}</span>`}`]);
    case "gamma":
      return explain(id, [math`γ = ${round.gamma}`]);
    case "temperature":
      return explain(id, [math`T = ${round.temperature}`]);
    case "cut":
      return now.schedule && round.gamma ? explain(id, [math`ℓ = ${round.verify_length}`]) : null;
    case "tau":
      return tauEquation(branch.rounds.reduce((sum, r) => sum + r.emitted.length, 0), branch.rounds.length);
    case "theta":
    case "tokens":
    case "rate":
      return round.schedule && now.schedule ? { ...explain(id), lines: scheduleEquation(round.schedule).lines } : null;
    case "overlap":
      return p?.verified && now.target ? overlapEquation(p) : null;
    case "residual":
    case "bonus":
      return ended && round.final.kind === id ? finalEquation(round) : null;
    case "plain":
      return ended && !round.gamma && !round.tree ? finalEquation(round) : null;
    case "discarded":
      return null;
    default:
      return row && p && told({ row, k: place.k }, now, round.gamma) ? equation(row, place.k, round) : null;
  }
}

/** @param {string} text */
const plain = (text) => text.toLowerCase().replace(/[_{}\s]/g, "");

/** The entries that have all words of a search in their name, symbol or meaning. @param {string} wanted */
export function search(wanted) {
  const words = wanted.trim().split(/\s+/).filter(Boolean).map(plain);
  return IDS.filter((id) => {
    const text = plain([id, ENTRIES[id].symbol ?? "", ...GLOSSARY[id]].join(" "));
    return words.every((word) => text.includes(word));
  });
}

/** Where an entry is shown here, as a selector; "" where it is not. @param {Id} id @param {Element} root @param {string} kind @param {Spot | null} spot */
function placeOf(id, root, kind, spot) {
  const { row, at, tab } = ENTRIES[id];
  if (row) return spot && root.querySelector(".dl-table") ? "table" : "";
  if (tab && (kind === tab || (kind === "app" && tab in TABS))) return at ?? "";
  return at && root.querySelector(at) ? at : "";
}

/** An entry's lines: with the numbers of the place where there are any. @param {Id} id @param {Spot | null} spot @returns {Equation} */
function entryAt(id, spot) {
  const general = explain(id);
  return { ...general, lines: (spot && live(id, spot)?.lines) || general.lines };
}

/** The symbol at a place that has no explanation of its own there. @param {any} place @returns {HTMLElement | null} */
function symbolAt(place) {
  const node = place.closest?.("[data-entry]");
  return node && node.dataset.entry in ENTRIES && !node.closest(".dl-explained, [role=gridcell], .dl-popup, .dl-drawer") ? node : null;
}

/** What a symbol in a sentence, a legend or a label stands for, while the pointer is on it. @param {{ model: Model, root: { current: Element | null } }} props */
export function SymbolTips({ model, root }) {
  const [node, setNode] = useState(/** @type {HTMLElement | null} */ (null));
  const spot = usePlace(model);
  useEffect(() => {
    const over = (/** @type {Event} */ event) => setNode(symbolAt(event.target));
    const leave = () => setNode(null);
    const box = root.current;
    box?.addEventListener("mouseover", over);
    box?.addEventListener("mouseleave", leave);
    return () => {
      box?.removeEventListener("mouseover", over);
      box?.removeEventListener("mouseleave", leave);
    };
  }, []);
  if (!node?.isConnected) return null;
  return html`<${Popup} anchor=${node} kind="tip"><${EquationView} eq=${entryAt(/** @type {Id} */ (node.dataset.entry), spot)} /><//>`;
}

/** @param {{ model: Model, root: Element, at: string, onClose: () => void }} props */
export function Glossary({ model, root, at, onClose }) {
  const [kind] = useTrait(model, "kind");
  const [preferences, setPreferences] = useTrait(model, "preferences");
  const [wanted, setWanted] = useState("");
  const spot = usePlace(model);
  const box = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const found = search(wanted);
  useEffect(() => {
    if (!box.current?.open) box.current?.showModal();
    const entry = at && box.current?.querySelector(`[data-term="${at}"]`);
    if (!(entry instanceof HTMLElement)) return;
    entry.scrollIntoView({ block: "start" });
    entry.focus({ preventScroll: true });
  }, [at]);
  /** @param {Id} id @param {string} selector */
  const show = (id, selector) => () => {
    const { row, tab } = ENTRIES[id];
    box.current?.close();
    if (row && spot) {
      const last = row === "final" || spot.place.k > spot.round.gamma;
      const [name, k] = [row === "final" ? "token" : row, last ? spot.round.gamma + 1 : spot.place.k];
      spot.select(k, name);
      return pointAt(root, `[data-cell="${name}-${last ? "final" : k}"]`);
    }
    if (tab && kind === "app") setPreferences({ ...preferences, tab });
    pointAt(root, selector);
  };
  return html`<dialog class="dl-drawer" ref=${box} aria-labelledby="dl-glossary" data-testid="glossary" onClose=${onClose}
      onClick=${(/** @type {Event} */ e) => e.target === box.current && box.current?.close()} onKeyDown=${(/** @type {Event} */ e) => e.stopPropagation()}>
    <div class="dl-drawer-head"><div class="dl-line"><h2 class="dl-viewtitle" id="dl-glossary">${P.title}</h2>
        <button class="dl-icon dl-quiet" data-testid="glossary-close" aria-label=${P.close} onClick=${() => box.current?.close()}><${Icon} name="remove" /></button></div>
      <input type="search" data-testid="glossary-search" aria-label=${P.search} placeholder=${P.search} value=${wanted} onInput=${(/** @type {any} */ e) => setWanted(e.target.value)} />
      <p class="dl-note" role="status">${P.found(found.length)}${spot ? ` · ${P.live(spot.round.index + 1, Math.min(spot.place.k, spot.round.gamma + 1))}` : ""}</p></div>
    <ul class="dl-terms">${found.map((id) => {
      const selector = placeOf(id, root, kind, spot);
      return html`<li key=${id} data-term=${id} data-testid=${`term-${id}`} tabindex="-1"><${EquationView} eq=${entryAt(id, spot)} />
        ${selector && html`<button class="dl-quiet" data-testid=${`show-${id}`} onClick=${show(id, selector)}>${P.show}<span class="dl-hidden">: ${GLOSSARY[id][0]}</span></button>`}</li>`;
    })}</ul>
  </dialog>`;
}
