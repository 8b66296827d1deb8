// The phase rail, the sentence of the step, and the controls that move through the steps.
import { useRef } from "preact/hooks";
import { html } from "../draw/html.js";
import { reveal, useBeforePaint } from "../draw/reveal.js";
import { Icon } from "../draw/icons.js";
import { memo } from "../draw/memo.js";
import { PHASES, phasesOf, stages } from "../logic/steps.js";
import { S } from "../strings.js";
import { Look } from "./look.js";

/** @typedef {import("../contract").Round} Round */
/** @typedef {import("./player.js").Player} Player */

export const PhaseRail = memo((/** @type {{ round: Round, player: Player }} */ { round, player }) => {
  const there = phasesOf(round);
  const at = PHASES.indexOf(player.step.phase);
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  useBeforePaint(() => reveal(list.current, list.current?.querySelector("[aria-current]")), [at]);
  return html`<ol class="dl-rail" ref=${list}>
    ${PHASES.map((phase, i) => {
      const state = i < at ? "past" : i === at ? "now" : "next";
      const name = phase === "sequential" && !stages(round).bias ? S.sequentialPlain : S.phases[phase];
      return html`<li class=${`dl-phase dl-${state}`} key=${phase}>
        <button data-testid=${`phase-${phase}`} title=${S.phaseHints[phase]} disabled=${!there.has(phase)}
          aria-current=${i === at ? "step" : undefined} onClick=${() => player.toPhase(phase)}>${name}</button>
      </li>`;
    })}
  </ol>`;
});

/** Play or pause, as shapes drawn by CSS text. */
export const Transport = memo((/** @type {{ player: Player, onRound: (by: number) => void }} */ { player, onRound }) => {
  const { index, steps, playing } = player;
  const value = S.scrubValue(index + 1, steps.length);
  return html`<div class="dl-transport">
    <button class="dl-icon" aria-label=${S.previousRound} title=${S.previousRound} data-testid="btn-prev-round" onClick=${() => onRound(-1)}><${Icon} name="previous" /></button>
    <button data-testid="btn-back" aria-disabled=${index === 0 ? "true" : undefined} onClick=${player.back}><${Icon} name="back" /> ${S.back}</button>
    <button data-testid="btn-play" aria-pressed=${playing ? "true" : "false"} aria-label=${playing ? S.pause : S.play} onClick=${player.toggle}><${Icon} name=${playing ? "pause" : "play"} /> <span>${playing ? S.pause : S.play}</span></button>
    <button class="dl-primary" data-testid="btn-step" aria-disabled=${index >= steps.length - 1 ? "true" : undefined} onClick=${player.forward}>${S.step} <${Icon} name="step" /></button>
    <button class="dl-icon" aria-label=${S.nextRound} title=${S.nextRound} data-testid="btn-next-round" onClick=${() => onRound(1)}><${Icon} name="next" /></button>
    <button data-testid="btn-replay" onClick=${player.replay} aria-label=${S.replay}><${Icon} name="replay" /> <span>${S.replay}</span></button>
    <input type="range" class="dl-scrub" data-testid="scrub" min="0" max=${Math.max(0, steps.length - 1)} step="1" value=${index} aria-label=${S.scrub}
      aria-valuetext=${value} onInput=${(/** @type {any} */ e) => (player.pause(), player.goTo(Number(e.target.value)))} />
    <output class="dl-stepcount">${value}</output>
  </div>`;
});

/** Speed, prediction, language and theme. @param {{ preferences: import("../contract").Preferences, setPreferences: (p: import("../contract").Preferences) => void, score: string, onReset: () => void, theme: boolean }} props */
export function Options({ preferences, setPreferences, score, onReset, theme }) {
  return html`<div class="dl-options">
    <label title=${S.predictHint}><input type="checkbox" data-testid="predict" checked=${preferences.predict}
      onChange=${(/** @type {any} */ e) => setPreferences({ ...preferences, predict: e.target.checked })} /> ${S.predict}</label>
    <output data-testid="score">${score}</output>${score && html`<button class="dl-quiet dl-icon" data-testid="score-reset" aria-label=${S.predictReset} title=${S.predictReset} onClick=${onReset}><${Icon} name="replay" /></button>`}
    <label>${S.pace} <select data-testid="play-speed" value=${String(preferences.speed)}
      onChange=${(/** @type {any} */ e) => setPreferences({ ...preferences, speed: Number(e.target.value) })}>
      ${["0.5", "1", "2", "4"].map((x) => html`<option value=${x} selected=${Number(x) === preferences.speed}>${x}×</option>`)}
    </select></label>
    ${theme && html`<${Look} preferences=${preferences} setPreferences=${setPreferences} />`}
  </div>`;
}
