// Predict before reveal: the reader's guess at each verdict, and how often it was right.
import { useState } from "preact/hooks";
import { html } from "../draw/html.js";
import { Rich } from "../draw/rich.js";
import { prob, quoteToken } from "../logic/format.js";
import { S } from "../strings.js";

/** @typedef {import("../contract").Position} Position */
/** @typedef {import("../logic/diff.js").Shown} Shown */
/** @typedef {import("../logic/steps.js").Step} Step */

/** @param {boolean} on */
export function usePredictions(on) {
  const [guesses, setGuesses] = useState(/** @type {Record<string, boolean>} */ ({}));
  const name = (/** @type {Shown} */ branch, /** @type {number} */ round, /** @type {number} */ k) => `${branch.id}:${round}:${k}`;
  const all = Object.values(guesses);
  return {
    /** The position to be asked about before leaving step ``index``, if any. @param {Shown} branch @param {number} index @param {Step[]} steps */
    asks: (branch, index, steps) => {
      const next = steps[index + 1];
      if (!on || !next || next.phase !== "accept" || next.sub === "final") return null;
      return name(branch, next.round, next.k) in guesses ? null : branch.rounds[next.round].positions[next.k - 1];
    },
    /** @param {Shown} branch @param {Position} p @param {number} round @param {boolean} yes */
    answer: (branch, p, round, yes) => setGuesses({ ...guesses, [name(branch, round, p.k)]: yes === (p.verdict === "accepted") }),
    /** How the guess at this step went, in a word. @param {Shown} branch @param {Step} step */
    verdict: (branch, step) => {
      const right = on && step.phase === "accept" && !step.sub ? guesses[name(branch, step.round, step.k)] : undefined;
      return right === undefined ? "" : right ? S.predictRight : S.predictWrong;
    },
    score: on && all.length ? S.predictScore(all.filter(Boolean).length, all.length) : "",
  };
}

/** @param {{ p: Position, onAnswer: (yes: boolean) => void }} props */
export function Question({ p, onAnswer }) {
  return html`<div class="dl-question" data-testid="question" role="group">
    <p class="dl-cause" data-testid="cause" aria-live="polite"><${Rich} text=${S.predictAsk(quoteToken(p.token.text), prob(p.p_d), prob(p.p_t))} /></p>
    <button type="button" class="dl-yes" data-testid="predict-yes" onClick=${() => onAnswer(true)}>${S.predictYes}</button>
    <button type="button" class="dl-no" data-testid="predict-no" onClick=${() => onAnswer(false)}>${S.predictNo}</button>
  </div>`;
}
