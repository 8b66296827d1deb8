// The round stepper: one round at a time, one step at a time.
import { useMemo, useRef } from "preact/hooks";
import { scheduleEquation } from "../draw/equations.js";
import { Failure } from "../draw/failure.js";
import { html } from "../draw/html.js";
import { useSame } from "../draw/memo.js";
import { Rich } from "../draw/rich.js";
import { Save, SaveText, fileName } from "../draw/save.js";
import { cellSentence, scheduleFacts, scheduleGrounds, stepSentence } from "../logic/facts.js";
import { atStep, selected, told } from "../logic/place.js";
import { known } from "../logic/steps.js";
import { traceOf } from "../logic/trace.js";
import { sender, useTrait } from "../store.js";
import { S } from "../strings.js";
import { BranchTabs, Diff } from "./branches.js";
import { useChanges } from "./changes.js";
import { Detail, Footer } from "./detail.js";
import { WhatIf } from "./edits.js";
import { Explained } from "./explained.js";
import { RoundList, TextSoFar } from "./header.js";
import { useBranches } from "./place.js";
import { handleKey, usePlayer } from "./player.js";
import { Question, usePredictions } from "./predict.js";
import { Options, PhaseRail, Transport } from "./rail.js";
import { SavePage } from "./savepage.js";
import { RoundTable } from "./table.js";
import { TreeView } from "./tree.js";

/** @typedef {import("../store.js").Model} Model */
/** @typedef {import("../logic/place.js").Place} Place */

/** @param {{ model: Model, detail?: boolean, theme?: boolean }} props either is false where something around the stepper has it */
export function Stepper({ model, detail = true, theme = true }) {
  const shown = useBranches(model);
  if (!shown[0].rounds.length) return html`<p class="dl-note dl-empty" data-testid="stepper">${S.loading}</p>`;
  return html`<${Loaded} model=${model} shown=${shown} detail=${detail} theme=${theme} />`;
}

/** @param {{ model: Model, shown: import("../logic/diff.js").Shown[], detail: boolean, theme: boolean }} props */
function Loaded({ model, shown, detail, theme }) {
  const [trace] = useTrait(model, "trace");
  const [cursor, setCursor] = useTrait(model, "cursor");
  const [preferences, setPreferences] = useTrait(model, "preferences");
  const [status] = useTrait(model, "status");
  const [live] = useTrait(model, "live");
  const [kind] = useTrait(model, "kind");
  const failed = kind === "stepper" && status.error && status.where !== "fork"; // other views show their own
  const root = useRef(/** @type {HTMLElement | null} */ (null));
  const branch = shown.find((b) => b.id === cursor.branch) ?? shown[0];
  const predictions = usePredictions(preferences.predict);
  const player = usePlayer(branch, cursor, setCursor, preferences.speed, (i) => !predictions.asks(branch, i, player.steps));
  const { step, index } = player;
  const round = branch.rounds[step.round];
  const now = useMemo(() => known(step, round), [step, round]);
  const parent = shown.find((b) => b.id === branch.parent);
  const other = parent?.rounds[round.index];
  const asked = predictions.asks(branch, index, player.steps);
  const feedback = predictions.verdict(branch, step);

  const place = useMemo(() => selected(cursor, step, round), [cursor.at, cursor.row, step, round]);
  const edits = useChanges(model, branch, round);
  const send = sender(model);

  const pickRound = useSame((/** @type {number} */ i) => player.toRound(i, preferences.predict));
  const moveRound = useSame((/** @type {number} */ by) => pickRound(round.index + by));
  const setPlace = useSame((/** @type {Place} */ next) => (player.pause(), setCursor({ ...cursor, ...step, at: next.k, row: next.row })));
  const sentence = place.byHand ? cellSentence(place.row, place.k, round) : stepSentence(step, round);
  const words = place.byHand && !told(place, now, round.gamma) ? S.unknown : sentence;
  /** @param {KeyboardEvent} event */
  const onKey = (event) => {
    if (event.key === "Escape" && place.byHand) setCursor(atStep(cursor, step));
    if (handleKey(event, player, moveRound)) event.preventDefault();
    event.stopPropagation();
  };
  return html`<div class="dl-stepper" data-testid="stepper" ref=${root} tabindex="-1" onKeyDown=${onKey}>
    <${Failure} text=${failed && status.error} />
    <${BranchTabs} shown=${shown} active=${branch.id} live=${live && !edits.busy} onPick=${(/** @type {number} */ id) => setCursor({ ...atStep(cursor, step), branch: id })}
      onDelete=${(/** @type {number} */ id) => send({ type: "delete", branch: id })} />
    <${TextSoFar} prompt=${trace?.prompt ?? ""} rounds=${branch.rounds} round=${round} known=${now}>
      <${Options} preferences=${preferences} setPreferences=${setPreferences} score=${predictions.score} onReset=${predictions.reset} theme=${theme} />
    <//>
    <${RoundList} rounds=${branch.rounds} current=${round.index} onPick=${pickRound} hidden=${preferences.predict ? round.index + Number(now.final || now.commit) : undefined} />
    <div class="dl-sticky">
      <${PhaseRail} round=${round} player=${player} />
      <div class="dl-words">
        ${asked && feedback && html`<p class="dl-note" data-testid="feedback">${feedback}<${Rich} text=${sentence} /></p>`}
        ${asked ? html`<${Question} asked=${asked} onAnswer=${(/** @type {number} */ guess) => (predictions.answer(asked, guess), player.forward())} />`
          : html`<p class="dl-cause" data-testid="cause" aria-live=${player.playing && preferences.speed > 1 ? "off" : "polite"}>${feedback}<${Rich} text=${words} /></p>`}
      </div>
      <${Transport} player=${player} onRound=${moveRound} />
    </div>
    <${RoundTable} round=${round} now=${now} step=${step} place=${place} edits=${edits.cells} other=${branch.id ? other : undefined} otherName=${parent?.name ?? ""} setPlace=${setPlace} />
    ${round.schedule && now.schedule && html`<p class="dl-note dl-schedule" data-testid="schedule" >✂ <${Explained} eq=${scheduleEquation(round.schedule)}>${scheduleFacts(round.schedule)}<//>. ${scheduleGrounds(round.schedule)}</p>`}
    ${round.tree && html`<${TreeView} tree=${round.tree} now=${now} />`}
    <${WhatIf} round=${round} edits=${edits} secret=${preferences.predict && !now.schedule} />
    ${parent && html`<${Diff} parent=${parent} fork=${branch} />`}
    ${detail && html`<${Detail} round=${round} k=${place.k} now=${now} />`}
    <${Footer} round=${round} now=${now} device=${trace?.device ?? ""} />
    <div class="dl-line"><p class="dl-note dl-keys">${S.keys}</p>
      ${trace && html`<span class="dl-saves"><span class="dl-note">${S.saveRound}</span><${Save} picture=${() => root.current?.querySelector(".dl-table") ?? null} name="round" title=${S.roundOf(round.index + 1, branch.rounds.length)} note=${[branch.id > 0 && branch.name, trace.prompt.slice(0, 60), trace.target.name, trace.drafter?.name, `T ${round.temperature}`, S.seedOf(String(trace.settings.seed))].filter(Boolean).join(" · ")} />
      <${SavePage} model=${model} /><${SaveText} name=${`${fileName(trace.prompt.slice(0, 40))}${branch.id ? `-fork-${branch.id}` : ""}.json`} type="application/json" testid="save-trace" disabled=${edits.busy} content=${() => JSON.stringify(traceOf(trace, branch))}>${S.saveTrace}<//></span>`}</div>
  </div>`;
}
