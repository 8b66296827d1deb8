// Every view but the stepper and the app by its kind: a new one is a module and a line here.
import { TABS } from "../strings.js";
import { Confidence } from "./confidence.js";
import { HeadLens } from "./lens.js";
import { LoadLab } from "./load.js";
import { Race } from "./race.js";
import { Rejection } from "./rejection.js";
import { Scheduler } from "./scheduler.js";

/** @typedef {{ View: (props: { model: import("../store.js").Model }) => any, tab: string, title: string, rounds: boolean }} Entry ``rounds``: alone it shows the trace's rounds to choose from */

/** In the order of the tabs. @type {Record<string, Entry>} */
export const VIEWS = {
  rejection: { View: Rejection, ...TABS.rejection, rounds: true },
  confidence: { View: Confidence, ...TABS.confidence, rounds: true },
  scheduler: { View: Scheduler, ...TABS.scheduler, rounds: true },
  load: { View: LoadLab, ...TABS.load, rounds: false },
  race: { View: Race, ...TABS.race, rounds: false },
  lens: { View: HeadLens, ...TABS.lens, rounds: true },
};

/** What a tab and a view by itself are called, in the language of the moment. @param {string} kind */
export const tabOf = (kind) => TABS[/** @type {keyof typeof TABS} */ (kind)].tab;
/** @param {string} kind */
export const titleOf = (kind) => TABS[/** @type {keyof typeof TABS} */ (kind)].title;
