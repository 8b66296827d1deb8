// Is Python still there? A page asks every few seconds. Where it is the lab's own server that gives the page, the server says more.
import { sendQuietly } from "./store.js";

/** @typedef {import("./store.js").Model} Model */
/** @typedef {import("./contract").KernelReply["kernel"]} ServerWord */
/** What is wrong with the line to Python; "" is nothing. "silent" may be a kernel at work. @typedef {"" | "server" | "silent" | Exclude<ServerWord, "alive">} Fault */

const EVERY = 4000;
const SOON = 2500;
const LONG = 10_000;

/** The kernel's address at the lab's own server; "" in a notebook. */
export function kernelAddress() {
  const config = JSON.parse(document.getElementById("jupyter-config-data")?.textContent || "{}");
  return config.kernelId ? `${config.baseUrl}healthz/${config.kernelId}` : "";
}

/** What the server says of the kernel; "" where there is none to ask. @returns {Promise<"" | "server" | ServerWord>} */
export async function askServer() {
  const address = kernelAddress();
  const ask = /** @type {{ askDSpark?: typeof globalThis.fetch }} */ (globalThis).askDSpark; // of the hosted page alone: the bundle asks for nothing
  if (!address || !ask) return "";
  try {
    const reply = await ask(address, { cache: "no-store", signal: AbortSignal.timeout(LONG) });
    if (!reply.ok) return reply.status >= 500 ? "server" : "";
    return (await reply.json()).kernel;
  } catch {
    return "server";
  }
}

/**
 * Watch the line, and tell each change. A kernel that has ended does not come back, so nothing more is asked then.
 * @param {Model} model @param {(fault: Fault) => void} tell
 * @param {{ now: () => number, ask: typeof askServer, hidden: () => boolean }} [world]
 */
export function watchLine(model, tell, world = { now: Date.now, ask: askServer, hidden: () => document.hidden }) {
  let told = /** @type {Fault} */ ("");
  let heard = world.now();
  let since = 0; // when the question that waits for an answer was first asked
  let asked = 0; // and last
  let looking = false;
  let back = 0;
  const say = (/** @type {Fault} */ fault) => {
    if (fault !== told) tell((told = fault));
  };
  const ping = () => {
    asked = world.now();
    since ||= asked;
    sendQuietly(model, { type: "ping" });
  };
  const take = (/** @type {any} */ message) => {
    if (message?.type !== "pong") return;
    heard = world.now();
    since = 0;
    say("");
  };
  const look = async () => {
    if (world.hidden() || looking) return;
    if (!since) return world.now() - heard >= EVERY ? ping() : undefined;
    if (world.now() - since < SOON) return;
    looking = true;
    const word = await world.ask();
    looking = false;
    if (!since) return; // it was answered meanwhile
    if (told === "server" && word === "alive" && ++back === 1) {
      since = 0; // the line comes back a little after the server
      return ping();
    }
    if (word === "server") {
      back = 0;
      say(word);
    } else if (word && word !== "alive") {
      clearInterval(timer);
      return say(word);
    } else if (world.now() - since >= LONG) say("silent");
    if (world.now() - asked >= LONG) ping(); // the first may be lost
  };
  const shown = () => {
    since = 0; // timers of a hidden page are slow: what was not heard then says nothing
    if (!world.hidden()) ping();
  };
  const timer = setInterval(look, 1000);
  model.on("msg:custom", take);
  globalThis.document?.addEventListener("visibilitychange", shown);
  globalThis.addEventListener?.("pageshow", shown);
  return () => {
    clearInterval(timer);
    model.off("msg:custom", take);
    globalThis.document?.removeEventListener("visibilitychange", shown);
    globalThis.removeEventListener?.("pageshow", shown);
  };
}

/** A model whose kernel is out of reach: what it holds can be looked at, and nothing is asked. @param {Model} model @returns {Model} */
export const cutOff = (model) => ({
  get: (name) => (name === "status" ? { ...model.get(name), state: "lost", text: "", error: "", where: "" } : model.get(name)),
  set: (name, value) => model.set(name, value),
  save_changes: () => {},
  on: (event, callback) => model.on(event, callback),
  off: (event, callback) => model.off(event, callback),
  send: () => {},
});
