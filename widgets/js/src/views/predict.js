// Predict before reveal: the reader's guess at each verdict and at each cut, and how often they were right.
import { useState } from "preact/hooks";
import { html } from "../draw/html.js";
import { Rich } from "../draw/rich.js";
import { settingOf } from "../logic/facts.js";
import { prob, quoteToken } from "../logic/format.js";
import { S } from "../strings.js";

/** @typedef {import("../contract").Round} Round */
/** @typedef {import("../logic/diff.js").Shown} Shown */
/** @typedef {import("../logic/steps.js").Step} Step */
/** @typedef {"verdict" | "cut"} Kind */
/** @typedef {{ kind: Kind, name: string, round: Round, k: number, truth: number }} Asked truth: 1 where x_k is accepted, or how many are verified */
/** @typedef {{ kind: Kind, right: boolean, guess: number, truth: number }} Guess */

/** What a step reveals that can be guessed before, if anything. @param {Shown} branch @param {Step | undefined} step @returns {Asked | null} */
export function questionOf(branch, step) {
  if (!step) return null;
  const round = branch.rounds[step.round];
  const ask = (/** @type {Kind} */ kind, /** @type {number} */ truth) => ({ kind, name: `${branch.id}:${step.round}:${kind}:${step.k}`, round, k: step.k, truth });
  if (step.phase === "accept" && step.sub !== "final") return ask("verdict", Number(round.positions[step.k - 1].verdict === "accepted"));
  if (step.phase === "schedule" && round.schedule?.length === round.verify_length && settingOf(round, "policy") !== "fixed") return ask("cut", round.verify_length);
  return null;
}

/** @param {Guess[]} guesses */
export const scored = (guesses) => /** @type {Kind[]} */ (["verdict", "cut"]).map((kind) => guesses.filter((g) => g.kind === kind)).filter((of) => of.length)
  .map((of) => S.predictScore[of[0].kind](of.filter((g) => g.right).length, of.length)).join(" · ");

/** @param {boolean} on */
export function usePredictions(on) {
  const [guesses, setGuesses] = useState(/** @type {Record<string, Guess>} */ ({}));
  return {
    /** What is to be asked before leaving step ``index``. @param {Shown} branch @param {number} index @param {Step[]} steps */
    asks: (branch, index, steps) => {
      const asked = on ? questionOf(branch, steps[index + 1]) : null;
      return asked && !(asked.name in guesses) ? asked : null;
    },
    /** @param {Asked} asked @param {number} guess */
    answer: (asked, guess) => setGuesses({ ...guesses, [asked.name]: { kind: asked.kind, right: guess === asked.truth, guess, truth: asked.truth } }),
    /** How the guess at this step went, in a word. @param {Shown} branch @param {Step} step */
    verdict: (branch, step) => {
      const guess = on ? guesses[questionOf(branch, step)?.name ?? ""] : undefined;
      if (!guess) return "";
      return guess.right ? S.predictRight : guess.kind === "cut" ? S.predictCutWrong(guess.guess, guess.truth) : S.predictWrong;
    },
    score: on ? scored(Object.values(guesses)) : "",
    reset: () => setGuesses({}),
  };
}

/** @param {{ asked: Asked, onAnswer: (guess: number) => void }} props */
export function Question({ asked, onAnswer }) {
  const { kind, round, k } = asked;
  const p = round.positions[k - 1];
  const words = kind === "cut" ? S.predictCut(S.policies[/** @type {keyof typeof S.policies} */ (round.schedule?.policy)] ?? round.schedule?.policy ?? "", round.schedule?.load ?? 0)
    : S.predictAsk(quoteToken(p.token.text), prob(p.p_d), prob(p.p_t));
  return html`<div class="dl-question" data-testid="question" role="group">
    <p class="dl-cause" data-testid="cause" aria-live="polite"><${Rich} text=${words} /></p>
    ${kind === "cut" ? html`<span class="dl-lengths">${Array.from({ length: round.gamma + 1 }, (_, n) => html`<button key=${n} data-testid=${`predict-${n}`} aria-label=${S.predictLength(n, round.gamma)} onClick=${() => onAnswer(n)}>${n}</button>`)}</span>`
      : html`<button class="dl-yes" data-testid="predict-yes" onClick=${() => onAnswer(1)}>${S.predictYes}</button>
    <button class="dl-no" data-testid="predict-no" onClick=${() => onAnswer(0)}>${S.predictNo}</button>`}
  </div>`;
}
