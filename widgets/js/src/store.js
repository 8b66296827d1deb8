// The widget's traits as Preact state. A model is anywidget's, or a stand-in on a page without a kernel.
import { useCallback, useEffect, useState } from "preact/hooks";

/** @typedef {import("./contract").ViewState} ViewState */
/** @typedef {import("./contract").Request} Request */
/** @typedef {import("./contract").Round} Round */
/**
 * @typedef {{
 *   get: (name: string) => any, set: (name: string, value: any) => void, save_changes: () => void,
 *   on: (event: string, callback: (...args: any[]) => void) => void,
 *   off: (event: string, callback: (...args: any[]) => void) => void,
 *   send: (message: any) => void, still?: boolean, widget_manager?: any,
 * }} Model what is `still` is a page of its own, that nobody will ever answer; `widget_manager` shows other widgets
 */

/** A model without a kernel: it remembers, and sends nowhere. @param {Partial<ViewState>} state @returns {Model} */
export function stillModel(state) {
  /** @type {Record<string, any>} */
  const values = { ...state };
  /** @type {Map<string, Set<(...args: any[]) => void>>} */
  const listeners = new Map();
  return {
    get: (name) => values[name],
    set: (name, value) => {
      values[name] = value;
      listeners.get(`change:${name}`)?.forEach((callback) => callback());
    },
    save_changes: () => {},
    on: (event, callback) => void (listeners.get(event) ?? listeners.set(event, new Set()).get(event))?.add(callback),
    off: (event, callback) => void listeners.get(event)?.delete(callback),
    send: () => {},
    still: true,
  };
}

/**
 * One trait: its value, and a setter that every view of the model sees at once and Python a little later. It saves at
 * once: Python echoes what it is told, and only a newer save on its way keeps an echo from undoing a newer value.
 * @template {keyof ViewState} Name
 * @param {Model} model @param {Name} name @returns {[ViewState[Name], (value: ViewState[Name]) => void]}
 */
export function useTrait(model, name) {
  const [value, setValue] = useState(model.get(name));
  useEffect(() => {
    const update = () => setValue(model.get(name));
    model.on(`change:${name}`, update);
    update();
    return () => model.off(`change:${name}`, update);
  }, [model, name]);
  const write = useCallback(
    (/** @type {any} */ next) => {
      model.set(name, next);
      setValue(next);
      model.save_changes();
    },
    [model, name],
  );
  return [value, write];
}

/** Is there nobody to ask: no kernel yet, or none any more? @param {import("./contract").Status} status */
export const isCutOff = (status) => status.state === "starting" || status.state === "lost";

/** What the views of a page share and the kernel need not know. @type {WeakMap<Model, Map<string, { value: any, tell: Set<(value: any) => void> }>>} */
const SHARED = new WeakMap();

/** @param {Model} model @param {string} name @param {any} initial */
function heldOf(model, name, initial) {
  const all = SHARED.get(model) ?? SHARED.set(model, new Map()).get(model);
  return /** @type {any} */ (all?.get(name) ?? all?.set(name, { value: initial, tell: new Set() }).get(name));
}

/** @param {any} held @param {any} next */
function put(held, next) {
  held.value = next;
  for (const tell of held.tell) tell(next);
}

/**
 * As ``useState``, but one value for all views of a model.
 * @template T
 * @param {Model} model @param {string} name @param {T} initial @returns {[T, (value: T) => void]}
 */
export function useShared(model, name, initial) {
  const held = heldOf(model, name, initial);
  const [value, setValue] = useState(held.value);
  useEffect(() => {
    held.tell.add(setValue);
    setValue(held.value);
    return () => held.tell.delete(setValue);
  }, [held]);
  return [value, useCallback((/** @type {T} */ next) => put(held, next), [held])];
}

/** A model that stands for another shares what that one does. @param {Model} model @param {Model} other */
export function shareWith(model, other) {
  if (!SHARED.has(other)) SHARED.set(other, new Map());
  SHARED.set(model, /** @type {any} */ (SHARED.get(other)));
  return model;
}

const AT_LATEST = 150;
/** @type {(act: () => void) => () => void} */
const whenIdle = (act) => {
  if (typeof requestIdleCallback === "function") {
    const asked = requestIdleCallback(act, { timeout: AT_LATEST });
    return () => cancelIdleCallback(asked);
  }
  const timer = setTimeout(act, 40);
  return () => clearTimeout(timer);
};

/** The model for views that come second: they are told of a new place in the trace once what comes first has been painted. @param {Model} model @returns {Model} */
export function unhurried(model) {
  /** @type {Map<(...args: any[]) => void, { told: () => void, forget: () => void }>} */
  const waiting = new Map();
  const late = (/** @type {string} */ event) => event === "change:cursor";
  /** @type {Model} */
  const own = {
    ...model,
    on: (event, callback) => {
      if (!late(event)) return model.on(event, callback);
      let forget = () => {};
      const told = () => {
        forget();
        forget = whenIdle(callback);
      };
      waiting.set(callback, { told, forget: () => forget() });
      model.on(event, told);
    },
    off: (event, callback) => {
      if (!late(event)) return model.off(event, callback);
      const { told, forget } = waiting.get(callback) ?? {};
      forget?.();
      waiting.delete(callback);
      if (told) model.off(event, told);
    },
  };
  return shareWith(own, model);
}

/** What the views of a model share by now, by name. @param {Model} model @returns {Record<string, any>} */
export const sharedOf = (model) => Object.fromEntries([...(SHARED.get(model) ?? [])].map(([name, held]) => [name, held.value]));

/** Let the views of a model, none of which is drawn yet, start from these. @param {Model} model @param {Record<string, any>} values */
export const startShared = (model, values) => void SHARED.set(model, new Map(Object.entries(values).map(([name, value]) => [name, { value, tell: new Set() }])));

/** @type {Round[]} */
const NO_ROUNDS = [];

/** Is something at work, so that nothing else can be asked for? @param {import("./contract").Status} status */
export const isBusy = (status) => !["loading", "ready", "recorded"].includes(status.state);

/** Ask what may go unanswered: a closed line is no error here. @param {Model} model @param {Request} request */
export function sendQuietly(model, request) {
  try {
    Promise.resolve(/** @type {any} */ (model.send(request))).catch(() => {});
  } catch {}
}

/** @param {Model} model @returns {(request: Request) => void} */
export const sender = (model) => (request) => model.send(request);

/** @typedef {{ run: number, rounds: Round[], fork: import("./contract").Branch | null }} Stream the rounds of a run, and a fork, as they come */

/** @type {Stream} */
const NO_STREAM = { run: -1, rounds: [], fork: null };
/** @type {WeakSet<object>} */
const FOLLOWED = new WeakSet();

/** What has been streamed and what comes next. @param {Stream} stream @param {import("./contract").RoundsReply} message @returns {Stream | null} null where something is missing between */
export function streamed({ run, rounds, fork }, message) {
  const own = message.fork;
  const old = own ? (fork?.id === own.id ? fork.rounds : []) : run === message.run ? rounds : [];
  if (message.start > old.length) return null;
  const all = [...old.slice(0, message.start), ...message.rounds];
  return own ? { run, rounds, fork: { ...own, rounds: all } } : { run: message.run, rounds: all, fork };
}

/** Take what is streamed, for as long as the model lives. Asks for what is missing where it came in the middle of a run. @param {Model} model */
function follow(model) {
  const held = heldOf(model, "stream", NO_STREAM); // one for all that stand for a model
  if (FOLLOWED.has(held)) return;
  FOLLOWED.add(held);
  /** @param {import("./contract").RoundsReply} message */
  const take = (message) => {
    if (message?.type !== "rounds") return;
    const next = streamed(held.value, message);
    if (next) put(held, next);
    else if (!message.fork) model.send({ type: "sync", have: held.value.run === message.run ? held.value.rounds.length : 0 });
  };
  model.on("msg:custom", take);
  if (model.get("status")?.state === "running") model.send({ type: "sync", have: 0 });
}

/** The trace's rounds and those streamed since, and the fork that is being run. @param {Model} model @returns {{ rounds: Round[], fork: import("./contract").Branch | null }} */
export function useStream(model) {
  const [trace] = useTrait(model, "trace");
  const [run] = useTrait(model, "run");
  const [status] = useTrait(model, "status");
  const [branches] = useTrait(model, "branches");
  const [stream] = useShared(model, "stream", NO_STREAM);
  useEffect(() => follow(model), [model]);
  const { rounds, fork } = stream;
  const whole = trace?.rounds ?? NO_ROUNDS;
  const lost = status?.state === "lost";
  const midRun = status?.state === "running" || (lost && !whole.length);
  const midFork = status?.state === "forking" || lost;
  return {
    rounds: midRun && stream.run === run && rounds.length > whole.length ? rounds : whole,
    fork: midFork && fork && !(branches ?? []).some((b) => b.id === fork.id) ? fork : null,
  };
}
