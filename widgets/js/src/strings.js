// All English text of the interface. Sentences take plain strings and numbers already written out.

/** @param {number} n @param {string} one @param {string} [many] */
export const count = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

export const S = {
  title: "Round stepper",

  phases: {
    prompt: "anchor",
    parallel: "parallel logits",
    sequential: "sequential head",
    confidence: "confidence",
    schedule: "schedule",
    verify: "verify",
    accept: "accept",
    commit: "commit",
  },
  phaseHints: {
    prompt: "The round begins at its anchor, the newest token, and empty slots",
    parallel: "One drafter pass gives logits for every slot at once",
    sequential: "Left to right: a bias for the token before, then the draw",
    confidence: "The drafter guesses how likely each token survives",
    schedule: "How many draft tokens are worth sending to the target",
    verify: "One target pass gives its probabilities at every slot sent",
    accept: "Left to right: accept or reject; the round's last token",
    commit: "Tokens join the text; the cache forgets the rest",
  },
  sequentialPlain: "draw",
  rows: {
    token: ["token", "x"],
    base: ["base", "U"],
    bias: ["bias", "+ B"],
    draft: ["draft", "p_d"],
    conf: ["confidence", "c_k"],
    survival: ["survival", "a_k"],
    target: ["target", "p_t"],
    u: ["draw", "u"],
    verdict: ["verdict", ""],
  },
  anchor: "anchor",
  final: { residual: "residual", bonus: "bonus", none: "none", plain: "drawn" },
  finalPlain: "final",
  finalAt: (/** @type {number} */ k) => `final, at ${k}`,
  tree: (/** @type {number} */ n) => `Draft tree of ${count(n, "node")}`,
  treeNote: "The children of a node share the line from 0 by their p_t, in this order; u at their depth picks the one that it falls on, or none.",
  verdicts: { accepted: "accepted", rejected: "rejected", discarded: "discarded", cut: "cut" },
  unknown: "not known yet",
  notVerified: "not verified",
  noValue: "no value here",
  kept: "put there by hand",
  mask: "mask slot",
  table: (/** @type {number} */ n) => `Round ${n}, one column a draft position`,
  draftUniform: (/** @type {string} */ u) => `u ${u}`,
  changedFrom: (/** @type {string} */ name) => `differs from ${name}`,
  position: (/** @type {number} */ k) => `position ${k}`,

  text: "text so far",
  rounds: "rounds",
  roundOf: (/** @type {number} */ i, /** @type {number} */ n) => `round ${i} of ${n}`,
  tau: "accepted length τ",
  tauValue: (/** @type {string} */ tau) => `τ ${tau}`,
  tauHint: "tokens a round, the final token counted",
  chip: (/** @type {number} */ i, /** @type {number} */ accepted, /** @type {number} */ gamma, /** @type {string} */ end) =>
    `Round ${i}: ${gamma ? `${accepted} of ${gamma} draft tokens accepted, ` : ""}${end}`,
  chipEnd: { residual: "then a residual token", bonus: "then a bonus token", none: "end of sequence", plain: "one token" },
  chipHidden: (/** @type {number} */ i) => `Round ${i}: outcome hidden while you predict`,

  step: "Step",
  back: "Back",
  play: "Play",
  pause: "Pause",
  previousRound: "Previous round",
  nextRound: "Next round",
  replay: "Replay round",
  scrub: "Step of all rounds",
  scrubValue: (/** @type {number} */ i, /** @type {number} */ n) => `step ${i} of ${n}`,
  pace: "Pace",
  keys: "← → step · Shift ← → round · space play · Home End · Esc close",
  themeNames: { auto: "Theme: auto", light: "Theme: light", dark: "Theme: dark" },
  predict: "Predict first",
  predictHint: "Guess each verdict before it shows",
  predictAsk: (/** @type {string} */ x, /** @type {string} */ pd, /** @type {string} */ pt) =>
    `Your call: is ${x} accepted? The drafter gave it ${pd}, the target gives it ${pt}.`,
  predictYes: "✓ accepted",
  predictNo: "✗ rejected",
  predictRight: "Right. ",
  predictWrong: "Not this time. ",
  predictScore: (/** @type {number} */ right, /** @type {number} */ all) => `${right} of ${all} right`,

  detail: (/** @type {number} */ k) => `Position ${k}: why`,
  detailFinal: "The final token: why",
  chart: "Target and draft over the top tokens",
  chartRow: (/** @type {string} */ x, /** @type {string} */ pt, /** @type {string} */ pd) => `${x}: target ${pt}, draft ${pd}`,
  legend: { pd: "draft p_d", pt: "target p_t", min: "shared: min(p_t, p_d)", rest: "residual: p_t − p_d above 0" },
  below: (/** @type {string} */ value) => `≤${value}`,
  notYetVerified: "The target has not been asked yet: step on to verify.",
  neverVerified: "This position was cut, so the target never sees it this round.",
  boosted: "raised most",
  lowered: "lowered most",
  cache: "target's cache",
  cacheName: (/** @type {number} */ before, /** @type {number} */ kept, /** @type {number} */ gone) =>
    `${count(before, "entry", "entries")} before the round, ${kept} added` + (gone ? `, ${gone} rewound` : ""),
  rewound: (/** @type {number} */ n) => `↶ ${count(n, "entry", "entries")} rewound`,
  measured: (/** @type {string} */ ms, /** @type {string} */ device) => `${ms} ms this round, measured on ${device}`,
  measuredParts: { draft_forward: "draft", sequential_head: "head", target_forward: "target", verification: "accept", other: "other" },

  whatIf: "What if",
  editToken: (/** @type {number} */ k) => `Change draft token ${k}`,
  editTokenHead: (/** @type {number} */ k) => `Put another token at position ${k}`,
  editUniform: (/** @type {string} */ name) => `Change ${name}`,
  uniformNames: {
    draft: (/** @type {number} */ k) => `the draft draw u at position ${k}`,
    accept: (/** @type {number} */ k) => `the acceptance draw u at position ${k}`,
    final: () => "the final draw u",
  },
  uniformShort: { draft: "draft u", accept: "u", final: "final u" },
  uniformHint: (/** @type {string} */ limit) => `Below ${limit} the token is accepted.`,
  uniformValue: "value in [0, 1)",
  verifyLength: "verify",
  policy: "policy",
  policies: { fixed: "verify all", "early-break": "Algorithm 1", lagged: "lagged, as deployed", threshold: "threshold 0.5", "threshold:0.5": "threshold 0.5", global: "global search" },
  offered: ["fixed", "early-break", "lagged", "threshold", "global"],
  leaks: "leaks: the text is no longer the target's",
  load: "load",
  loadName: "background requests",
  loadOf: (/** @type {number} */ n) => `load ${n}`,
  loadFrom: (/** @type {string} */ what) => `Load: ${what}.`,
  budget: (/** @type {string} */ tokens, /** @type {string} */ theta, /** @type {string} */ source) => `B = ${tokens} tokens in the step · Θ = ${theta} tokens/s, ${source}`,
  rateOf: (/** @type {string} */ what, /** @type {string} */ source) => `Step rate: ${what} (${source}).`,
  verifyOf: (/** @type {number} */ gamma) => `of ${gamma}`,
  temperature: "temperature",
  fromHere: "from this round on",
  fork: "Run the fork",
  clear: "Clear",
  remove: (/** @type {string} */ what) => `Take back: ${what}`,
  done: "Done",
  close: "Close",
  forkHint: "Pick ✎ on a token or a draw, the verify length, the temperature, the policy or the load: the round runs again with just that changed.",
  forking: "Running the fork…",
  notLive: {
    page: "Open in the notebook to change tokens.",
    stepper: "This is a recording. Give the stepper a live session to change tokens.",
    app: "This is a recording. Press Generate to run it live, then change tokens.",
  },
  pending: (/** @type {string} */ what, /** @type {string} */ value) => `${what} → ${value}`,

  branches: "Branches",
  original: "original",
  deleteBranch: (/** @type {string} */ name) => `Delete ${name}`,
  diff: (/** @type {string} */ a, /** @type {string} */ b) => `What changed: ${b} against ${a}`,
  diffSame: "The two texts are the same.",
  diffOnly: (/** @type {string} */ name) => `only in ${name}`,
  loading: "No rounds yet.",
};

/** Why things are as they are: one sentence a step. */
export const WHY = {
  prompt: (/** @type {string} */ anchor, /** @type {number} */ context, /** @type {number} */ gamma, /** @type {number} */ nodes) =>
    `The round begins at its anchor ${anchor}. The ${count(context, "token")} before it ${context === 1 ? "is" : "are"} in the target's cache; ` +
    (nodes ? `A tree of ${count(nodes, "node")} is drafted after it, the most probable paths first.`
      : gamma ? `${count(gamma, "slot")} wait${gamma === 1 ? "s" : ""} to be drafted.` : "nothing is drafted, the target goes on by itself."),
  parallel: (/** @type {number} */ gamma) =>
    `One pass of the drafter gives logits for all ${gamma} slots at once. No slot knows yet what its neighbours will be.`,
  bias: (/** @type {number} */ k, /** @type {string} */ previous, /** @type {string} */ up, /** @type {string} */ down) =>
    `Position ${k}: after ${previous} the sequential head raises ${up} and lowers ${down} (eq. 5).`,
  draw: (/** @type {number} */ k, /** @type {string} */ u, /** @type {string} */ low, /** @type {string} */ high, /** @type {string} */ x, /** @type {string} */ pd) =>
    `u = ${u} falls in [${low}, ${high}) of the draft's cumulative probabilities, the share of ${x}: it is x_${k}, drawn with p_d = ${pd}.`,
  forced: (/** @type {number} */ k, /** @type {string} */ x, /** @type {string} */ pd) =>
    `${x} was put at position ${k} by hand; the drafter itself gives it p_d = ${pd}.`,
  confidence: (/** @type {string} */ first, /** @type {string} */ last, /** @type {number} */ gamma) =>
    `The confidence head expects x_1 to survive with ${first}; multiplied along the block, all ${gamma} survive with ${last}.`,
  scheduleAll: (/** @type {number} */ gamma) => `Nothing is cut: ${gamma === 1 ? "the draft token goes" : `all ${gamma} draft tokens go`} to the target.`,
  scheduleCut: (/** @type {number} */ l, /** @type {string} */ a) =>
    `Cut after ${l}: position ${l + 1} survives with only ${a}, so the target is not asked about it.`,
  scheduleHand: (/** @type {number} */ l) => `Cut after ${l}: the rest is never sent to the target.`,
  verify: (/** @type {number} */ l) =>
    `One pass of the target over the anchor and ${count(l, "draft token")} gives p_t after each of them.`,
  treeVerify: (/** @type {number} */ n) =>
    `One pass of the target over the anchor and ${count(n, "node")}, each attending to its own path, gives p_t after each of them.`,
  treeResidual: (/** @type {number} */ n, /** @type {string} */ last, /** @type {string} */ mass, /** @type {string} */ u, /** @type {string} */ x) =>
    `${count(n, "node")} accepted. Then u = ${last} ≥ ${mass}, all that p_t gives the drafts tried next: none is accepted, and u = ${u} draws ${x} from p_t without them.`,
  treeBonus: (/** @type {number} */ n, /** @type {string} */ u, /** @type {string} */ x) =>
    `${count(n, "node")} accepted, down to a leaf, so the target's own p_t gives a bonus: u = ${u} draws ${x}.`,
  verifyPlain: "One pass of the target over the anchor gives p_t for the next token.",
  accepted: (/** @type {string} */ x, /** @type {string} */ u, /** @type {string} */ r) => `u = ${u} < p_t/p_d = ${r}, so ${x} is accepted.`,
  acceptedSure: (/** @type {string} */ x, /** @type {string} */ pt, /** @type {string} */ pd, /** @type {boolean} */ same) =>
    `The target likes ${x} ${same ? "just as well as" : "better than"} the drafter does (p_t = ${pt} ${same ? "=" : ">"} p_d = ${pd}), so it is accepted whatever u is.`,
  rejected: (/** @type {string} */ x, /** @type {string} */ u, /** @type {string} */ r, /** @type {string} */ next) =>
    `u = ${u} ≥ p_t/p_d = ${r}, so ${x} is rejected; the residual draws ${next}.`,
  rejectedEarly: (/** @type {string} */ x, /** @type {string} */ u, /** @type {string} */ r, /** @type {number} */ rest) =>
    `u = ${u} ≥ p_t/p_d = ${r}, so ${x} is rejected` + (rest > 0 ? `, and the ${count(rest, "token")} verified after it ${rest === 1 ? "goes" : "go"} with it.` : "."),
  discarded: (/** @type {string} */ x, /** @type {number} */ k) => `${x} is discarded unseen: position ${k} already ended the round's draft.`,
  ended: (/** @type {string} */ x) => `${x} was accepted and ends the sequence, so no token is drawn after it.`,
  cut: (/** @type {string} */ x, /** @type {number} */ l) => `${x} was cut: only ${count(l, "draft token")} went to the target.`,
  residual: (/** @type {string} */ u, /** @type {string} */ x, /** @type {number} */ k) =>
    `In place of the rejected token at ${k}, u = ${u} draws ${x} from the residual, where the target wants more than the drafter offered.`,
  bonus: (/** @type {string} */ u, /** @type {string} */ x, /** @type {number} */ k) =>
    `Every token sent was accepted, so the target's own p_t at position ${k} gives a bonus: u = ${u} draws ${x}.`,
  plain: (/** @type {string} */ u, /** @type {string} */ x) => `u = ${u} draws ${x} from p_t: one pass of the target, one token.`,
  commit: (/** @type {number} */ n, /** @type {number} */ rewound) =>
    `The round adds ${count(n, "token")} to the text. ` +
    (rewound > 0
      ? `The target's cache forgets ${count(rewound, "entry", "entries")} of tokens that did not make it.`
      : "Everything the target's cache has just learnt stays."),
  commitEnd: { eos: " The text ends here.", length: " The length limit ends the text here.", "": "" },
};

/** What a fork's changes did. */
export const CAUSE = {
  token: (/** @type {number} */ k, /** @type {string} */ a, /** @type {string} */ b) => `you put ${b} in place of ${a} at position ${k}`,
  uniform: (/** @type {string} */ name, /** @type {string} */ a, /** @type {string} */ b) => `you set ${name} from ${a} to ${b}`,
  verify: (/** @type {number} */ a, /** @type {number} */ b) => `you sent ${b} instead of ${a} draft tokens to the target`,
  setting: (/** @type {string} */ name, /** @type {string} */ a, /** @type {string} */ b) => `you set the ${name} from ${a} to ${b}`,
  now: (/** @type {string} */ x, /** @type {string} */ verdict) => `${x} is now ${verdict}`,
  token2: (/** @type {number} */ k, /** @type {string} */ a, /** @type {string} */ b) => `position ${k} now drafts ${b} instead of ${a}`,
  final: (/** @type {string} */ a, /** @type {string} */ b) => `the round now ends with ${b} instead of ${a}`,
  none: "the round comes out the same",
  nothing: "no token",
};

/** The page around the stepper. */
export const APP = {
  appTitle: "DSpark Lab",
  tagline: "speculative decoding, one round at a time",
  prompt: "Prompt",
  promptHint: "Ctrl or ⌘ + Enter runs it",
  generate: "Generate",
  stop: "Stop",
  examples: "Examples",
  domains: { math: "math", code: "code", chat: "chat" },
  temperature: "Temperature",
  temperatureHint: "0 is greedy",
  gamma: "Block γ",
  gammaHint: "tokens drafted a round",
  seed: "Seed",
  maxTokens: "Max tokens",
  policy: "Policy",
  load: "Load",
  loadHint: "background requests, simulated",
  drafter: "Drafter",
  drafterOff: "off: one token a round",
  drafterOn: "on: speculative",
  speed: "Speed",
  speculative: "speculative",
  autoregressive: "one by one",
  rate: (/** @type {string} */ value) => `${value} tok/s`,
  speedTimes: (/** @type {string} */ value) => `${value}×`,
  speedMeasured: (/** @type {string} */ device) => `measured on ${device}: same prompt, settings and seed, nothing recorded`,
  speedPartial: "stopped early",
  speedNone: "Generate runs the prompt both ways and measures both here.",
  state: {
    loading: "loading models…",
    ready: "ready",
    recorded: "recorded example",
    running: "running…",
    measuring: "measuring…",
    forking: "running the fork…",
  },
};

/** Titles and notes of the equations. */
export const EQ = {
  ref: (/** @type {number} */ n) => `eq. ${n}`,
  algorithm: (/** @type {number} */ n) => `Algorithm ${n}`,
  rule: "speculative sampling",
  base: "Parallel logits alone",
  baseNote: "What the drafter would say for this slot without knowing the token before it.",
  bias: "Sequential head",
  biasNote: "A low-rank table: what the token before makes more or less likely here.",
  draft: "The draft's distribution and its draw",
  draftNote: "Tokens share the line from 0 to 1 by their p_d; u picks the one it falls on.",
  forcedNote: "Put here by hand, so no draw was used.",
  conf: "Confidence",
  confNote: "The chance, as the drafter sees it, that this position survives if those before it did.",
  confCalibrated: "calibrated",
  confTruth: (/** @type {string} */ overlap) => `The head's guess of the true chance, Σ min(p_t, p_d), which was ${overlap} here (eq. 8).`,
  survival: "Prefix survival",
  survivalNote: "The chance that the block survives up to here. The scheduler weighs it against the cost of one more token.",
  target: "Target against draft",
  targetNote: "The sum is this position's acceptance chance over all tokens that the drafter might have drawn.",
  accept: "Accept or reject",
  discardedNote: "This comparison does not count: the round's draft ended before this position.",
  surelyNote: (/** @type {string} */ q) => `p_t/p_d = ${q}: at or above 1 nothing can reject it.`,
  residual: "Residual",
  residualNote: "Exactly what is missing: accepted drafts and residual draws together follow p_t.",
  treeResidualNote: "p_d is 1 at each child that was tried: each was a proposal of one certain token.",
  bonus: "Bonus token",
  bonusNote: "The verification pass has already computed p_t for the place after the last draft token.",
  plain: "Plain decoding",
  tauNote: "Accepted length: tokens a round, the final one counted. More of it means fewer passes of the target.",
  none: "No final token",
  noneNote: "An accepted end-of-sequence token ended the round.",
};
