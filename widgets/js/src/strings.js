// All English text of the interface. Sentences take plain strings and numbers already written out. Another language is
// written over these objects in place (language.js), so read a text where it is shown, and keep no copy of it.

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
  positions: "Positions of the round",
  others: "all others",

  text: "text so far",
  rounds: "rounds",
  roundOf: (/** @type {number} */ i, /** @type {number} */ n) => `round ${i} of ${n}`,
  tauValue: (/** @type {string} */ tau) => `τ ${tau}`,
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
  language: "Language",
  languageAuto: "Language: auto",
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
  settings: { temperature: "temperature", top_k: "top-k", top_p: "top-p", policy: "policy", load: "load" },
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
  views: "Views of the selected round and position",
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
  rejected: (/** @type {string} */ x, /** @type {string} */ u, /** @type {string} */ r, /** @type {string} */ next, /** @type {string} */ last) =>
    `u = ${u} ≥ p_t/p_d = ${r}, so ${x} is rejected; the residual's own draw u = ${last} falls on ${next}.`,
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
  and: " and ",
  because: (/** @type {string} */ comparison, /** @type {string} */ now) => `${comparison}, so ${now}`,
  then: (/** @type {string} */ first, /** @type {string} */ next) => `${first}, ${next}`,
  sentence: (/** @type {string} */ did, /** @type {string} */ effect) => `${did}; ${effect}.`,
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
    repeating: "repeating the round…",
    asking: "asking the head…",
    racing: "racing…",
  },
};

/** What the popups of numbers say beside the glossary. */
export const EQ = {
  ref: (/** @type {number} */ n) => `eq. ${n}`,
  algorithm: (/** @type {number} */ n) => `Algorithm ${n}`,
  rule: "speculative sampling",
  greedy: "1 at the highest logit, else 0",
  forcedNote: "Put here by hand, so no draw was used.",
  confCalibrated: "calibrated",
  confTruth: (/** @type {string} */ overlap) => `The head's guess of the true chance, Σ min(p_t, p_d), which was ${overlap} here (eq. 8).`,
  discardedNote: "This comparison does not count: the round's draft ended before this position.",
  surelyNote: (/** @type {string} */ q) => `p_t/p_d = ${q}: at or above 1 nothing can reject it.`,
  treeResidualNote: "p_d is 1 at each child that was tried: each was a proposal of one certain token.",
  none: "No final token",
  noneNote: "An accepted end-of-sequence token ended the round.",
  tokens: (/** @type {number} */ n) => count(n, "token"),
  rounds: (/** @type {number} */ n) => count(n, "round"),
};

/** Every term: its name and what it means. Popups end with the meaning; the glossary lists them all. */
export const GLOSSARY = {
  round: ["Round", "Draft a block, verify it in one pass of the target, keep what was accepted and one token more."],
  anchor: ["Anchor", "The newest token of the text. The round drafts what follows it; the round's last token is the next one's anchor."],
  gamma: ["Block length", "Tokens drafted a round."],
  temperature: ["Temperature", "Divides the logits of target and drafter alike: below 1 sharper, above 1 flatter, at 0 always the most probable token."],
  token: ["Draft token", "What the drafter proposes at position k. Whether it stays is the target's decision."],
  base: ["Parallel logits alone", "What the drafter would say for this slot without knowing the token before it."],
  bias: ["Sequential head", "A low-rank table: what the token before makes more or less likely here."],
  draft: ["The draft's distribution and its draw", "Tokens share the line from 0 to 1 by their p_d; u picks the one it falls on."],
  u: ["Uniform draw", "A random number from 0 to 1, addressed by seed, round, purpose and position: the same address gives the same number, whatever else changes."],
  conf: ["Confidence", "The chance, as the drafter sees it, that this position survives if those before it did."],
  calibrated: ["Calibrated confidence", "Sequential temperature scaling: one temperature a position, fitted from left to right on rounds held back, so that the product says how often a prefix really survives."],
  survival: ["Prefix survival", "The chance that the block survives up to here. The scheduler weighs it against the cost of one more token."],
  cut: ["Verify length", "Draft tokens that are sent to the target. The scheduler cuts the rest off: they cost more than they promise."],
  tokens: ["Batch size in tokens", "All that the target computes in one step: an anchor for each request, and the draft tokens admitted."],
  rate: ["Step rate", "Target steps a second with B tokens in each: measured once for a machine, or modelled. It falls as B grows."],
  theta: ["Throughput", "Tokens a second over all requests: the tokens that a step is expected to yield times steps a second. Algorithm 1 admits draft tokens, most likely first, as long as it rises."],
  policy: ["Policy", "How much of a draft is verified. Algorithm 1 stops at the first token that would lower the throughput; looking further would let a token's own draw decide on its admission, and the text would leak."],
  load: ["Load", "Requests that share each step with this one. More of them make every verified token dearer, so the cut moves to the left."],
  target: ["Target against draft", "The target's own distribution after the tokens before. The sum is this position's acceptance chance over all tokens that the drafter might have drawn."],
  ratio: ["Accept or reject", "A draft token stays if u is below the ratio: always where the target likes it at least as well as the drafter, else in just that share of cases."],
  overlap: ["Chance to be accepted", "What target and draft share, summed over all tokens: the chance that whatever is drafted here is accepted."],
  residual: ["Residual", "Exactly what is missing: accepted drafts and residual draws together follow p_t."],
  bonus: ["Bonus token", "The verification pass has already computed p_t for the place after the last draft token."],
  plain: ["Plain decoding", "One pass of the target, one token: nothing was drafted."],
  discarded: ["Discarded", "Drafted and verified behind a rejection: it followed a token that is not there any more."],
  tau: ["Accepted length", "Accepted length: tokens a round, the final one counted. More of it means fewer passes of the target."],
  cache: ["Cache rewind", "The target keeps keys and values of the tokens that it has read. Those of tokens that did not make it are dropped again."],
  tree: ["Draft tree", "Several continuations at once: the children of a node are tried one after the other, the first accepted one is followed."],
  reached: ["Accepted by position", "Of the rounds that got as far as position k, the share that accepted it."],
  chi: ["Pearson's chi-square test", "n is a token's count, N all rounds. Tokens expected fewer than 5 times share one bin; what is rarer still is also tested by itself, as a Poisson count. p is the chance of counts at least this far from p_t if they do follow it."],
  distance: ["Total variation", "Half the sum of the differences: 0 for equal distributions, 1 for those that share nothing. From an exact rule the distance of the counts shrinks towards 0 as rounds add up."],
};

/** The drawer that lists the glossary. */
export const GLOSSARY_PAGE = {
  title: "Glossary",
  hint: "Every symbol and term (key g)",
  search: "Search terms and symbols",
  close: "Close the glossary",
  found: (/** @type {number} */ n) => count(n, "term"),
  live: (/** @type {number} */ round, /** @type {number} */ k) => `numbers of round ${round}, position ${k}`,
  show: "Show me",
};

/** The guided tour. */
export const TOUR = {
  title: "Tour",
  offer: "New here? A short tour shows what can be seen and changed on this page.",
  start: "Take the tour",
  decline: "No, thanks",
  of: (/** @type {number} */ i, /** @type {number} */ n) => `${i} of ${n}`,
  back: "Back",
  next: "Next",
  leave: "Leave the tour",
  done: "Done",
  stops: {
    prompt: ["Ask for a text", "Pick an example or write a prompt, then Generate. A small drafter and its target, both in this page's kernel, write the answer together."],
    rounds: ["It comes in rounds", "Each chip is a round: so many draft tokens accepted (✓), and how it ended: ✗ corrected by the target, ★ with a bonus token. τ is the number of tokens a round yields."],
    steps: ["One step at a time", "Step, play or drag through a round, from its anchor to the commit. The sentence says why things are as they are. Arrow keys work too."],
    head: ["The sequential head", "The parallel pass guesses all slots at once. Here the head changed the most: knowing the token before, it raised some tokens and lowered others. Hover or focus any number for its equation."],
    confidence: ["How sure is the drafter?", "For each token a confidence c_k; multiplied along the block they give the chance a_k that all up to there survive. The scheduler cuts where a_k no longer pays."],
    verdict: ["Accept or reject", "The target's p_t against the drafter's p_d: a token stays if u is below p_t/p_d. This one decides by just that. Its replacement comes from the residual, so the text follows the target exactly."],
    whatif: ["What if?", "Change a token, a draw, the verify length, the temperature or the load, and run the fork: the same random numbers, only your change. Both texts stand side by side."],
    why: ["Why this token", "The selected position at length: both distributions, what they share, the draw that decided. The exactness meter runs the round again and again and tests that it is lossless."],
    scheduler: ["How far to verify", "The scheduler weighs each further token's chance against what it costs. Move the load and watch the cut move."],
    load: ["Under load", "What many requests at once make of it: throughput and the number of tokens verified as load grows."],
    race: ["Race the drafters", "The same prompt and the same random numbers for several drafters. Every round is a block that opens in the stepper above."],
    share: ["Take it with you", "Share gives a link that brings back exactly this: prompt, models, seed, forks and place. The glossary (key g) explains every symbol, with live numbers."],
  },
};

/** Permalinks. */
export const SHARE = {
  share: "Share",
  title: "Share what is shown",
  holds: (/** @type {string} */ models) => `Prompt, settings, seed, forks and place, made with ${models}.`,
  link: "Link",
  python: "The same in Python",
  command: "The same in a terminal",
  commandPlain: "The original, without its forks, in a terminal",
  copy: "Copy",
  copied: "Copied.",
  byHand: "The browser does not allow it: select the text and copy it.",
  close: "Close",
  waits: "This address holds shared rounds. They run here as soon as the models are there.",
  failed: "The link was not opened.",
  differs: (/** @type {string} */ models) => `This link was made with ${models}. Other models run here, so the text may differ from what was shared.`,
};

/** Charts, and saving. */
export const CHART = {
  point: (/** @type {string} */ name, /** @type {string} */ x, /** @type {string} */ xLabel, /** @type {string} */ y, /** @type {string} */ yLabel) => `${name}: ${x} ${xLabel}, ${y} ${yLabel}`,
  points: (/** @type {string} */ label, /** @type {string} */ hint) => `Points of the chart: ${label}. Arrows move${hint ? `, Enter: ${hint}` : ""}`,
  noPoint: "no point chosen",
  series: "series",
  table: "The numbers as a table",
  saveAs: (/** @type {string} */ title, /** @type {string} */ kind) => `Save “${title}” as ${kind}`,
  failed: (/** @type {string} */ kind, /** @type {string} */ why) => `The ${kind} could not be made: ${why}`,
  noPicture: "the browser made no picture",
};

/** What the tabs and a view by itself are called, by kind. */
export const TABS = {
  rejection: { tab: "Why this token", title: "Why this token: accept, reject, residual" },
  race: { tab: "Race", title: "Drafter race" },
  lens: { tab: "Head", title: "Head lens: what the sequential head adds" },
};

/** Why this token. */
export const REJECTION = {
  title: "Why this token",
  residualHead: "residual",
  legendRest: "p_t above p_d; the residual is its share of all of it",
  facts: { pd: "p_d", pt: "p_t", ratio: "p_t/p_d", u: "u", overlap: "chance to be accepted at all, Σ min(p_t, p_d)" },
  u: (/** @type {string} */ u) => `u = ${u}`,
  limit: (/** @type {string} */ r) => `p_t/p_d = ${r}`,
  acceptDraw: "The draw that decides",
  idleDraw: "This draw decides nothing: the round's draft had ended before",
  axisLabel: (/** @type {string} */ u, /** @type {string} */ r, /** @type {string} */ verdict) => `From 0 to 1: below ${r} the token is accepted, above it is rejected. u is ${u}: ${verdict}.`,
  lastDraw: { residual: "The residual's own draw", bonus: "The bonus token's draw", plain: "The token's draw" },
  drawLabel: (/** @type {string} */ u, /** @type {string} */ x, /** @type {string} */ low, /** @type {string} */ high) => `From 0 to 1: u is ${u} and falls on ${x}, from ${low} to ${high}.`,
  waits: (/** @type {string} */ x) => `Whether ${x} is accepted is not known yet at this step: step on.`,
};

/** The exactness meter. */
export const METER = {
  title: "Exactness meter",
  lead: (/** @type {string} */ anchor) =>
    `Run this very round again with fresh seeds and count its first token, the one after ${anchor}. Speculative decoding promises that it follows the target's own p_t there, exactly, however good or bad the draft is.`,
  rule: "Acceptance rule",
  rules: {
    exact: ["the real rule", "Accept with probability min(1, p_t/p_d); after a rejection draw from the residual, norm(max(0, p_t − p_d))."],
    resample: ["wrong: resample from p_t", "As the real rule, but a rejected token is replaced by a draw from p_t itself. Tempting, and not exact: what the draft offers too rarely stays too rare."],
    "accept-all": ["wrong: accept always", "Keep whatever was drafted. The text then follows the drafter, p_d, and not the target."],
  },
  run: (/** @type {string} */ n) => `Run ${n} rounds`,
  runMore: (/** @type {string} */ n) => `Run ${n} more`,
  stop: "Stop",
  afresh: "Start over",
  repeating: "repeating the round…",
  rounds: (/** @type {number} */ n, /** @type {number} */ a, /** @type {number} */ b) => `${count(n, "round")}, seeds ${a} to ${b}`,
  seen: "seen",
  count: "count",
  chart: "Target's probability and share counted, token by token",
  legendExact: "p_t, the target's own",
  legendSeen: "share of the rounds run here",
  degrees: (/** @type {number} */ n) => `${n} degree${n === 1 ? "" : "s"} of freedom`,
  distance: "distance of the counts from p_t",
  bias: "distance that this rule never gets below",
  biasHint: "Total variation between what this rule tends to and p_t, computed.",
  notYet: (/** @type {string} */ bias) => `Not caught yet: this rule is off by ${bias}, and so many rounds cannot tell that from chance. Run more.`,
  fits: "No sign that the counts differ from the target's p_t.",
  caught: "Caught: these counts do not come from p_t.",
  impossible: (/** @type {number} */ n) => `Caught: ${count(n, "token")} came out that the target never gives.`,
  tooFew: "Too few counts in more than one bin for a test: this token is next to certain, or more rounds are needed.",
  historyLabel: (/** @type {string} */ p, /** @type {number} */ n) => `p-value as rounds add up; after ${n} rounds ${p}`,
  historyNote: "p as rounds add up; dashed: .05. Watched all along, an exact rule dips below it now and then and comes back. A wrong one goes to 0 and stays.",
  notLive: {
    page: "Open in the notebook to repeat the round.",
    view: "This is a recording. Give the view a live session to repeat the round.",
    app: "This is a recording. Press Generate to run it live, then repeat its rounds.",
  },
};

/** The head lens. */
export const LENS = {
  title: "Head lens",
  with: "with head",
  without: "without",
  chart: "Probabilities with and without the sequential head",
  legendWith: "with the head: softmax((U_k + B) / T)",
  legendWithout: "without: softmax(U_k / T)",
  biases: "Logits that the head adds: raised most, lowered most",
  asDrafted: (/** @type {string} */ x) => `After ${x}, as drafted`,
  asAsked: (/** @type {string} */ x) => `After ${x} instead`,
  ask: (/** @type {number} */ k, /** @type {string} */ x) => `Another token than ${x} before position ${k}: what would the head do?`,
  offers: "Tokens to put before",
  other: "another token",
  askIt: "Ask the head",
  peaks: "Where the head changes the most in this text",
  collision: (/** @type {string} */ prompt) => `Where the head completes “of course” or “no problem”, the paper's example of a collision: in the example “${prompt}”`,
  peak: (/** @type {number} */ round, /** @type {number} */ k, /** @type {string} */ x, /** @type {string} */ y, /** @type {string} */ a, /** @type {string} */ b) => `round ${round}, position ${k}: after ${x}, ${y} goes from ${a} to ${b}`,
  shift: (/** @type {string} */ x) => `moves ${x} of the probability`,
  none: "This drafter has no sequential head: each slot keeps what the parallel pass says, whatever token was drawn before it. DSpark's own is in the drafters dspark, dspark-gated and dspark-rnn.",
  noDraft: "Nothing was drafted position by position in this round, so there is no head to look at.",
  final: "The final token comes from the target; the head has no part in it. Choose a draft position.",
  notLive: {
    page: "Open in the notebook to ask the head about another token.",
    view: "This is a recording. Give the view a live session to ask the head about another token.",
    app: "This is a recording. Press Generate to run it live, then ask the head.",
  },
};

/** The drafter race. */
export const RACE = {
  title: "Drafter race",
  lead: "The same prompt, the same uniforms, one drafter after the other. Each box is a round: one pass of the target.",
  usual: ["dspark", "dflash", "early-exit", "prompt-lookup", "none"],
  drafters: "Who takes part",
  run: "Race",
  fromPage: "Runs the page's prompt with the page's settings.",
  waiting: "The models are not loaded yet.",
  still: "Open in the notebook to run a race.",
  on: (/** @type {string} */ prompt, /** @type {number} */ seed, /** @type {string} */ temperature, /** @type {string} */ device) =>
    `“${prompt}” · seed ${seed} · temperature ${temperature} · speeds measured on ${device}, nothing recorded`,
  states: { waiting: "waiting", running: "running…", measuring: "measuring…", done: "", stopped: "stopped early", failed: "failed" },
  counts: (/** @type {number} */ rounds, /** @type {number} */ tokens) => `${count(rounds, "round")} for ${count(tokens, "token")}`,
  seconds: (/** @type {string} */ value) => `measured, ${value} s`,
  acceptance: "Accepted by position, of those that were reached",
  acceptedAt: (/** @type {number} */ k, /** @type {string} */ share) => `position ${k}: ${share} accepted`,
  round: (/** @type {number} */ i) => `Round ${i}`,
  block: (/** @type {number} */ accepted, /** @type {number} */ rejected, /** @type {string} */ last) =>
    [`${accepted} accepted`, rejected ? "then a rejection" : "", last ? `ends with ${last}` : "ends the sequence"].filter(Boolean).join(", "),
  openHint: "Open this round in the stepper",
  openNot: "Only the opened run is kept on a page without a kernel",
  opened: (/** @type {string} */ title) => `In the stepper: ${title}`,
};
