// Generated from the contract: python -m dspark_widgets.contract_types

/** A token id and its text. Bytes that are no whole UTF-8 character show as U+FFFD. */
export interface Token {
  id: number;
  text: string;
}

/** One token of a distribution's head: its probability (or, in a list of biases, its added logit). */
export interface Choice {
  token: Token;
  value: number;
}

/** Draft position k (1-based) of a round, from its parallel logits to its verdict. */
export interface Position {
  k: number;
  token: Token;
  forced: boolean;
  u_draft: number;
  cdf: [number, number];
  p_base: number | null;
  bias: number | null;
  p_d: number;
  confidence: number | null;
  calibrated: number | null;
  survival: number | null;
  verified: boolean;
  p_t: number | null;
  acceptance: number | null;
  overlap: number | null;
  u_accept: number | null;
  verdict: string;
  base: Choice[];
  biased_up: Choice[];
  biased_down: Choice[];
  draft: Choice[];
  target: Choice[];
  residual: Choice[];
}

/** The token that ends a round: the next round's anchor. */
export interface Final {
  kind: string;
  position: number;
  token: Token | null;
  u: number | null;
  cdf: [number, number] | null;
  head: Choice[];
}

/** A node of a draft tree: one token that may follow its parent's path. */
export interface Node {
  parent: number;
  k: number;
  token: Token;
  p_d: number;
  p_t: number | null;
  verdict: string;
}

/** The draft tree of a round, grown and walked as ``dspark_lab.tree`` says. */
export interface Tree {
  nodes: Node[];
  verify_length: number;
  u_accept: number[];
}

/** What the scheduler decided before the target's step, over this request and its background (Algorithm 1). */
export interface Schedule {
  policy: string;
  leaks: boolean;
  load: number;
  background: string;
  step_rate: string;
  source: string;
  note: string;
  length: number;
  candidates: number;
  tokens: number;
  expected: number;
  theta: number;
  ranks: number[];
  admitted: number[];
  thetas: number[];
  why: string;
}

/** Measured wall time of a round's parts, in milliseconds, on the machine named in the trace. */
export interface Timings {
  draft_forward: number;
  sequential_head: number;
  target_forward: number;
  verification: number;
  other: number;
}

/** One round: draft, verify, commit. */
export interface Round {
  index: number;
  anchor: Token;
  context_length: number;
  gamma: number;
  verify_length: number;
  temperature: number;
  top_k: number;
  top_p: number;
  positions: Position[];
  tree: Tree | null;
  schedule: Schedule | null;
  final: Final;
  accepted: number;
  emitted: Token[];
  finished: string;
  cache_before: number;
  cache_after_verify: number;
  cache_after_commit: number;
  text: string;
  overrides: { [key: string]: any };
  timings: Timings | null;
}

/** A model of the session: name, kind ("target", or the drafter's kind such as "dspark"), revision (first 12 hex digits of the weights' SHA-256, "" without weights), parameter count, and for a drafter its block size. */
export interface ModelInfo {
  name: string;
  kind: string;
  revision: string;
  parameters: number;
  block_size: number | null;
}

/** A whole session. ``forked_at`` is the index of the round in which a fork left its parent; None for an original. */
export interface Trace {
  schema_version: number;
  prompt: string;
  prompt_tokens: Token[];
  settings: { [key: string]: any };
  target: ModelInfo;
  drafter: ModelInfo | null;
  device: string;
  rounds: Round[];
  forked_at: number | null;
}

/** How a session samples and drafts. */
export interface Settings {
  temperature: number;
  top_k: number;
  top_p: number;
  gamma: number | null;
  seed: number;
  max_new_tokens: number;
  tree: number;
  policy: string;
  load: number;
  step_rate: string;
}

/** What a person changed by hand in one round; everything else stays as the uniforms decide. */
export interface Overrides {
  tokens: { [key: string]: number };
  uniforms: { [key: string]: number };
  verify_length: number | null;
  settings: { [key: string]: any };
  confidence: { [key: string]: number };
}

/** A token's probability under p_t and under the rule's own law, and how often it came out; no token: all others. */
export interface MeterRow {
  token: Token | null;
  p_t: number;
  law: number;
  count: number;
}

/** A round repeated ``rounds`` times with the seeds from ``first_seed`` on, as in ``dspark_lab.teaching.exactness``. */
export interface Meter {
  branch: number;
  round: number;
  rule: string;
  rounds: number;
  first_seed: number;
  rows: MeterRow[];
  others: MeterRow;
  statistic: number;
  degrees: number;
  p_value: number;
  impossible: number;
  distance: number;
  bias: number;
  history: [number, number][];
}

/** Draft position ``k`` as the sequential head makes it after ``previous``; ``base`` is without the head. */
export interface Lens {
  branch: number;
  round: number;
  k: number;
  previous: Token;
  base: Choice[];
  draft: Choice[];
  biased_up: Choice[];
  biased_down: Choice[];
}

/** The queue for a step in order of admission, at some places ``n``, from 1: whose candidate stands there, which of its draft tokens it is, its survival, and Theta with it admitted. Request 0 is the reader's own. */
export interface Path {
  n: number[];
  request: number[];
  k: number[];
  survival: number[];
  theta: number[];
}

/** What a policy decides about the queue: the reader's draft tokens verified, and B and Theta of the step. */
export interface Decision {
  policy: string;
  leaks: boolean;
  length: number;
  tokens: number;
  theta: number;
}

/** A round scheduled anew, as ``dspark_lab.scheduling.replan`` does it; ``number`` is that of the request it answers. */
export interface Plan {
  branch: number;
  round: number;
  number: number;
  policy: string;
  load: number;
  step_rate: string;
  schedule: Schedule;
  confidence: number[];
  survival: number[];
  start: number;
  best: number;
  path: Path;
  decisions: Decision[];
  cuts: [number, number][];
  rates: [number, number][];
  example: [number, number];
}

/** A step rate by its name, what it is, and whether it was measured or is modelled. */
export interface StepRateChoice {
  name: string;
  title: string;
  source: string;
}

/** Predictions of about the same height: how many, their mean, and the share that came true. */
export interface Bin {
  rounds: number;
  predicted: number;
  happened: number;
}

/** Survival at a position (0: all of them) against what happened, by the raw and by the scaled confidences. */
export interface Diagram {
  position: number;
  rounds: number;
  ece: number;
  bins: Bin[];
  ece_scaled: number | null;
  scaled: Bin[];
}

/** What a confidence threshold gives a round: draft tokens verified and accepted, and tokens that come of it. */
export interface Saved {
  threshold: number;
  verified: number;
  accepted: number;
  emitted: number;
}

/** ECE by position on rounds that the calibration was not fitted to, before and after; null where none was drafted. */
export interface HeldOut {
  rounds: number;
  split: string;
  before: (number | null)[];
  after: (number | null)[];
}

/** How far a drafter's confidences can be believed, measured on ``rounds`` recorded rounds in which all was verified. */
export interface Reliability {
  drafter: string;
  rounds: number;
  split: string;
  temperature: number;
  fitted: boolean;
  temperatures: number[];
  held_out: HeldOut | null;
  diagrams: Diagram[];
  saved: Saved[];
  note: string;
}

/** A drafter that can race, "none" the target alone. */
export interface Runner {
  name: string;
  title: string;
  summary: string;
}

/** A token of a round's block and what became of it: accepted, rejected, discarded, cut, residual, bonus, plain. */
export interface Piece {
  token: Token;
  kind: string;
}

/** One drafter's run: its rounds as blocks, and, measured without recording, its ``seconds``. */
export interface Lane {
  name: string;
  title: string;
  state: "waiting" | "running" | "measuring" | "done" | "stopped" | "failed";
  error: string;
  rounds: Piece[][];
  tokens: number;
  tau: number;
  acceptance: (number | null)[];
  seconds: number | null;
}

/** One prompt, one seed, several drafters: the ``choices`` there are, and the last race; ``opened`` is the lane whose trace is shown, or "". */
export interface Race {
  choices: Runner[];
  prompt: string;
  settings: { [key: string]: any };
  device: string;
  lanes: Lane[];
  opened: string;
}

/** Something to choose, by name: what it is called, and a note on it. */
export interface Offer {
  name: string;
  title: string;
  note: string;
}

/** What is simulated: contenders as "none", "mtp-1" or "DRAFTER POLICY"; ``gamma``, tokens drafted at most; the step rate by name; and how requests come. */
export interface ServingSetup {
  contenders: string[];
  gamma: number;
  step_rate: string;
  arrivals: "constant" | "poisson" | "bursts";
}

/** A server under one ``load``: so many requests at every moment, or coming a second where they come by themselves. The rest is as in ``dspark_lab.scheduling.simulator.Result``, a step's time in milliseconds. */
export interface Served {
  load: number;
  requests: number;
  throughput: number;
  speed: number;
  speed_p50: number | null;
  speed_p95: number | null;
  budget: number;
  tau: number;
  acceptance: number;
  waste: number;
  step_ms: number;
}

/** A contender under each load done so far, rising. ``frontier``: numbers of the points that no other beats in both throughput and speed, from the fastest for a user on (Figure 7). */
export interface ServedCurve {
  name: string;
  drafter: string;
  policy: string;
  gamma: number;
  points: Served[];
  frontier: number[];
}

/** A line of the paper's Figure 7 (throughput over speed: "frontier") or 8 (over requests: "throughput", "budget"). */
export interface PaperCurve {
  chart: "frontier" | "throughput" | "budget";
  method: string;
  points: [number, number][];
}

/** A chart as a Plotly FigureWidget: ``widget`` is its model's id, which the page shows in the view. ``chart`` "": none. */
export interface Zoomed {
  chart: string;
  widget: string;
}

/** Servers compared under load, all modelled: what there is to choose, what was simulated, and what came of it. */
export interface Serving {
  contenders: Offer[];
  step_rates: Offer[];
  setup: ServingSetup;
  title: string;
  source: string;
  notes: string[];
  curves: ServedCurve[];
  paper: PaperCurve[];
  implied: boolean;
  state: "" | "running" | "done" | "stopped" | "failed";
  error: string;
  done: number;
  total: number;
}

/** The reader's place: branch, round and phase; ``k`` and ``sub`` refine phases that go position by position. */
export interface Cursor {
  branch: number;
  round: number;
  phase: "prompt" | "parallel" | "sequential" | "confidence" | "schedule" | "verify" | "accept" | "commit";
  k: number;
  sub: string;
  serial: number;
  at: number;
  row: string;
}

/** What the reader likes: theme, the interface's language ("auto" as the browser's), whether acceptance is predicted before it shows, steps a second when playing, and the ``kind`` of the view that is open below the stepper. */
export interface Preferences {
  theme: "auto" | "light" | "dark";
  language: "auto" | "en" | "ja" | "zh";
  predict: boolean;
  speed: number;
  tab: string;
}

/** A fork: as its parent before ``round``, then ``rounds``. The original trace is branch 0 and is not in the list. */
export interface Branch {
  id: number;
  name: string;
  parent: number;
  round: number;
  overrides: { [key: string]: any };
  rounds: Round[];
}

/** What Python is doing; ``error`` is a message fit to be shown, and ``where`` the request that it answers. */
export interface Status {
  state: "starting" | "lost" | "loading" | "ready" | "recorded" | "running" | "measuring" | "forking" | "repeating" | "asking" | "racing";
  text: string;
  error: string;
  where: "" | "load" | "generate" | "example" | "fork" | "meter" | "lens" | "race" | "plan" | "link" | "serving" | "request";
}

/** What the page's controls hold. ``drafter`` is a kind of drafter, or "none" for one token a round; ``gamma``, the number of tokens drafted a round, is unused then, and so are ``policy`` and ``load``. */
export interface Controls {
  prompt: string;
  temperature: number;
  top_k: number;
  top_p: number;
  gamma: number;
  seed: number;
  max_new_tokens: number;
  policy: string;
  load: number;
  drafter: string;
}

/** An example prompt with a recorded trace. ``collision`` is a round and a draft position where the parallel pass leaves open what the head decides (the second word of the paper's "of course" or "no problem"); null where there is none. */
export interface Example {
  domain: "math" | "code" | "chat";
  index: number;
  prompt: string;
  collision: [number, number] | null;
}

/** One measured run, on the device of its ``Speeds``. ``whole`` is false when it was stopped before its end. */
export interface Speed {
  tokens: number;
  seconds: number;
  whole: boolean;
}

/** The same prompt and settings with and without the drafter, of which this is the title, measured one after the other without recording. */
export interface Speeds {
  device: string;
  drafter: string;
  speculative: Speed | null;
  autoregressive: Speed | null;
}

/** A model as a trace names it. */
export interface ModelName {
  name: string;
  kind: string;
  revision: string;
}

/** What the page offers: its examples, the one shown (as "math_0"), the block's size, the most characters of a prompt and new tokens of a run. */
export interface AppInfo {
  examples: Example[];
  example: string;
  block_size: number;
  prompt_limit: number;
  token_limit: number;
  made_by: ModelName[];
  drafter: string;
  confident: boolean;
}

/** What the page's server says of a kernel: it is there, or why it ended; "unknown" are those of a server before it. */
export interface KernelReply {
  kernel: "alive" | "idle" | "left" | "died" | "closed" | "unknown";
}

/** The traits of a widget. ``live`` says that a session stands behind the trace, so that it can be forked. */
export interface ViewState {
  kind: "stepper" | "rejection" | "confidence" | "scheduler" | "load" | "lens" | "race" | "app";
  live: boolean;
  run: number;
  trace: Trace | null;
  branches: Branch[];
  cursor: Cursor;
  preferences: Preferences;
  status: Status;
  meters: Meter[];
  lens: Lens | null;
  race: Race | null;
  serving: Serving | null;
  zoomed: Zoomed;
  plans: Plan[];
  step_rates: StepRateChoice[];
  reliability: Reliability | null;
  controls: Controls | null;
  info: AppInfo | null;
  speeds: Speeds | null;
}

/** What was changed in a round of ``parent``: 0 is the original, n the nth fork of the link. */
export interface Fork {
  parent: number;
  round: number;
  overrides: Overrides;
}

/** What a link stands for. ``cursor.branch`` counts as ``Fork.parent`` does; without a ``drafter`` nothing is drafted. ``view`` is the one that was open below the stepper; "" leaves that as it is. */
export interface Permalink {
  prompt: string;
  settings: Settings;
  target: ModelName;
  drafter: ModelName | null;
  forks: Fork[];
  cursor: Cursor;
  version: number;
  view: "" | "rejection" | "confidence" | "scheduler" | "load" | "race" | "lens";
}

/** Fork ``branch`` at ``round`` with these overrides and run the fork to its end. */
export interface ForkRequest {
  branch: number;
  round: number;
  overrides: Overrides;
  type: "fork";
}

/** Forget a branch and the forks made from it. */
export interface DeleteRequest {
  branch: number;
  type: "delete";
}

/** Draft by this kind of drafter from now on, "none" for by none. */
export interface ChooseRequest {
  drafter: string;
  type: "choose";
}

/** Run the prompt with and without the drafter. */
export interface GenerateRequest {
  controls: Controls;
  type: "generate";
}

/** Show a recorded trace, at a round and, where ``at`` is not 0, at one of its positions. */
export interface ExampleRequest {
  domain: "math" | "code" | "chat";
  index: number;
  round: number;
  at: number;
  type: "example";
}

/** Stop the run at work after its current round; what it has stays. */
export interface StopRequest {
  type: "stop";
}

/** Send the running trace's rounds from number ``have`` on: a page that was opened mid-run missed them. */
export interface SyncRequest {
  have: number;
  type: "sync";
}

/** Repeat a round ``rounds`` times more and judge it by ``rule``; ``afresh`` forgets what was counted before. */
export interface MeterRequest {
  branch: number;
  round: number;
  rule: "exact" | "resample" | "accept-all";
  rounds: number;
  afresh: boolean;
  type: "meter";
}

/** Ask the sequential head at position ``k`` after another previous token, by its id or, without one, by its text. */
export interface HeadRequest {
  branch: number;
  round: number;
  k: number;
  token: number | null;
  text: string;
  type: "head";
}

/** Run the prompt once with each of these drafters. */
export interface RaceRequest {
  prompt: string;
  drafters: string[];
  type: "race";
}

/** Show the trace of a race's lane, at a round; what was shown before any lane with "". */
export interface OpenRequest {
  lane: string;
  round: number;
  type: "open";
}

/** Run again what a permalink stands for, with its forks, and go to its place (``permalink``). */
export interface RestoreRequest {
  link: string;
  type: "restore";
}

/** Simulate servers under load. */
export interface ServeRequest {
  setup: ServingSetup;
  type: "serve";
}

/** Stop the simulation; what it has stays. */
export interface UnserveRequest {
  type: "unserve";
}

/** Show a chart of what was simulated as one that can be zoomed; none with "" as its name. */
export interface ZoomRequest {
  chart: "" | "frontier" | "throughput" | "budget" | "waste";
  dark: boolean;
  type: "zoom";
}

/** Answer at once: is Python there? No person has asked. */
export interface PingRequest {
  type: "ping";
}

/** Send the interface's text in another language. */
export interface WordsRequest {
  language: "ja" | "zh";
  type: "words";
}

/** Send the view as a page that works from a file, as ``export_html`` writes it. */
export interface PageRequest {
  type: "page";
}

/** Schedule a round anew with other settings or confidences, without running a model. ``number`` comes back with the answer. */
export interface PlanRequest {
  branch: number;
  round: number;
  overrides: Overrides;
  number: number;
  type: "plan";
}

/** Rounds of run ``run`` as they come: append them at ``start``. With ``fork`` they are that fork's, which is among the branches once it is done. */
export interface RoundsReply {
  run: number;
  start: number;
  rounds: Round[];
  fork: Branch | null;
  type: "rounds";
}

/** Python is there. */
export interface PongReply {
  type: "pong";
}

/** The script that brings the interface's text in a language. */
export interface WordsReply {
  language: "ja" | "zh";
  script: string;
  type: "words";
}

/** The page, all of it. */
export interface PageReply {
  html: string;
  type: "page";
}

export type Phase = "prompt" | "parallel" | "sequential" | "confidence" | "schedule" | "verify" | "accept" | "commit";

export type Request = ForkRequest | DeleteRequest | ChooseRequest | GenerateRequest | ExampleRequest | StopRequest | SyncRequest | MeterRequest | HeadRequest | RaceRequest | OpenRequest | RestoreRequest | PlanRequest | ServeRequest | UnserveRequest | ZoomRequest | PingRequest | WordsRequest | PageRequest;
