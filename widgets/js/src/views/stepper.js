// The round stepper: one round at a time, one step at a time.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { html } from "../draw/html.js";
import { Rich } from "../draw/rich.js";
import { assemble, changes, merged, overridesOf } from "../logic/diff.js";
import { cellSentence, scheduleFacts, scheduleGrounds, stepSentence } from "../logic/facts.js";
import { known } from "../logic/steps.js";
import { sender, useRounds, useTrait } from "../store.js";
import { S } from "../strings.js";
import { BranchTabs, Diff } from "./branches.js";
import { Detail, Footer } from "./detail.js";
import { WhatIf } from "./edits.js";
import { Numbers, RoundList, TextSoFar } from "./header.js";
import { handleKey, usePlayer } from "./player.js";
import { Question, usePredictions } from "./predict.js";
import { Options, PhaseRail, Transport } from "./rail.js";
import { RoundTable } from "./table.js";
import { TreeView } from "./tree.js";

/** @typedef {import("../store.js").Model} Model */
/** @typedef {import("./table.js").Place} Place */
/** @typedef {import("../contract").Round} Round */

/**
 * Where the selection stands at a step: its own position, or else the one that decided the round once that is known.
 * @param {import("../logic/steps.js").Step} step @param {Round} round @returns {Place}
 */
function placeOf(step, round) {
  const { gamma, positions } = round;
  if (step.phase === "sequential") return { row: step.sub === "bias" ? "bias" : "draft", k: step.k };
  if (step.phase === "accept") return { row: "verdict", k: step.sub === "final" ? gamma + 1 : step.k };
  const rejected = positions.find((p) => p.verdict === "rejected");
  return { row: "token", k: step.phase === "commit" && rejected ? rejected.k : 1 };
}

/** @param {{ model: Model }} props */
export function Stepper({ model }) {
  const rounds = useRounds(model);
  const [branches] = useTrait(model, "branches");
  const shown = useMemo(() => assemble(rounds, branches ?? [], S.original), [rounds, branches]);
  if (!rounds.length) return html`<p class="dl-note dl-empty" data-testid="stepper">${S.loading}</p>`;
  return html`<${Loaded} model=${model} shown=${shown} />`;
}

/** @param {{ model: Model, shown: import("../logic/diff.js").Shown[] }} props */
function Loaded({ model, shown }) {
  const [trace] = useTrait(model, "trace");
  const [cursor, setCursor] = useTrait(model, "cursor");
  const [preferences, setPreferences] = useTrait(model, "preferences");
  const [status] = useTrait(model, "status");
  const [live] = useTrait(model, "live");
  const [kind] = useTrait(model, "kind");
  const failed = kind !== "app" && status.error && status.where !== "fork"; // the app shows its own
  const root = useRef(/** @type {HTMLElement | null} */ (null));
  const branch = shown.find((b) => b.id === cursor.branch) ?? shown[0];
  const predictions = usePredictions(preferences.predict);
  const player = usePlayer(branch, cursor, setCursor, preferences.speed, (i) => !predictions.asks(branch, i, player.steps));
  const { step, index } = player;
  const round = branch.rounds[step.round];
  const now = known(step, round);
  const parent = shown.find((b) => b.id === branch.parent);
  const other = parent?.rounds[round.index];
  const asked = predictions.asks(branch, index, player.steps);

  const here = `${cursor.serial}:${branch.id}:${index}`;
  const [chosen, setChosen] = useState(/** @type {{ at: string, place: Place } | null} */ (null));
  const byHand = chosen?.at === here ? chosen.place : null;
  const natural = placeOf(step, round);
  const place = byHand ?? natural;

  const spot = `${cursor.serial}:${branch.id}:${round.index}`;
  const [edited, setEdited] = useState({ at: spot, value: overridesOf(null) });
  const value = edited.at === spot ? edited.value : overridesOf(null);
  const why = S.notLive[/** @type {keyof typeof S.notLive} */ (kind)];
  const edits = { live, why, value, set: (/** @type {typeof value} */ next) => setEdited({ at: spot, value: next }) };
  const busy = ["forking", "running", "measuring"].includes(status.state);
  const send = sender(model);
  const fork = () => {
    if (!changes(value)) return;
    const overrides = merged(overridesOf(round.overrides), value);
    send({ type: "fork", branch: branch.id, round: round.index, overrides });
  };
  useEffect(() => {
    if (branch.id) setEdited({ at: "", value: overridesOf(null) });
  }, [branch.id]);

  const moveRound = (/** @type {number} */ by) => player.toRound(round.index + by, preferences.predict);
  const sentence = byHand ? cellSentence(byHand.row, byHand.k, round) : stepSentence(step, round);
  const words = byHand && !knownAt(byHand, now, round.gamma) ? S.unknown : sentence;
  /** @param {KeyboardEvent} event */
  const onKey = (event) => {
    if (event.key === "Escape") setChosen(null);
    if (handleKey(event, player, moveRound)) event.preventDefault();
    event.stopPropagation();
  };
  return html`<div class="dl-stepper" data-testid="stepper" ref=${root} tabindex="-1" onKeyDown=${onKey}>
    ${failed && html`<p class="dl-error" role="alert" data-testid="error">${status.error}</p>`}
    <${BranchTabs} shown=${shown} active=${branch.id} live=${live && !busy} onPick=${(/** @type {number} */ id) => setCursor({ ...cursor, ...step, branch: id })}
      onDelete=${(/** @type {number} */ id) => send({ type: "delete", branch: id })} />
    <${TextSoFar} prompt=${trace?.prompt ?? ""} rounds=${branch.rounds} round=${round} known=${now}>
      <${Options} preferences=${preferences} setPreferences=${setPreferences} score=${predictions.score} />
    <//>
    <${RoundList} rounds=${branch.rounds} current=${round.index} onPick=${(/** @type {number} */ i) => player.toRound(i, preferences.predict)}
      hidden=${(/** @type {number} */ i) => preferences.predict && (i > round.index || (i === round.index && !now.final && !now.commit))}><${Numbers} rounds=${branch.rounds} current=${round.index} /><//>
    <div class="dl-sticky">
      <${PhaseRail} round=${round} player=${player} />
      <div class="dl-words">
        ${asked ? html`<${Question} p=${asked} onAnswer=${(/** @type {boolean} */ yes) => (predictions.answer(branch, asked, round.index, yes), player.forward())} />`
          : html`<p class="dl-cause" data-testid="cause" aria-live=${player.playing && preferences.speed > 1 ? "off" : "polite"}>${predictions.verdict(branch, step)}<${Rich} text=${words} /></p>`}
      </div>
      <${Transport} player=${player} onRound=${moveRound} />
    </div>
    <${RoundTable} round=${round} now=${now} step=${step} place=${place} edits=${edits} other=${branch.id ? other : undefined} otherName=${parent?.name ?? ""}
      setPlace=${(/** @type {Place} */ next) => (player.pause(), setChosen({ at: here, place: next }))} />
    ${round.schedule && now.schedule && html`<p class="dl-note dl-schedule" data-testid="schedule" title=${scheduleGrounds(round.schedule)}>✂ ${scheduleFacts(round.schedule)}. ${scheduleGrounds(round.schedule)}</p>`}
    ${round.tree && html`<${TreeView} tree=${round.tree} now=${now} />`}
    <${WhatIf} round=${round} edits=${edits} busy=${busy} forking=${status.state === "forking"} error=${status.where === "fork" ? status.error : ""} onFork=${fork} />
    ${parent && html`<${Diff} parent=${parent} fork=${branch} />`}
    <${Detail} round=${round} k=${place.k} now=${now} />
    <${Footer} round=${round} now=${now} device=${trace?.device ?? ""} />
    <p class="dl-note dl-keys">${S.keys}</p>
  </div>`;
}

/** Is a cell's story already told at this step? @param {Place} place @param {import("../logic/steps.js").Known} now @param {number} gamma */
function knownAt({ row, k }, now, gamma) {
  if (k > gamma) return now.final || now.commit;
  if (row === "base") return now.base;
  if (row === "bias") return k <= now.bias;
  if (row === "token" || row === "draft") return k <= now.draft;
  if (row === "conf" || row === "survival") return now.schedule;
  return k <= now.verdict;
}
