// The language of the interface. Another one's words come when they are wanted, and are written over the English ones, key by key, so that a text it lacks stays English.
import { useEffect, useState } from "preact/hooks";
import { kernelAddress } from "./line.js";
import { sendQuietly } from "./store.js";
import * as strings from "./strings.js";

/** @typedef {"en" | "ja" | "zh"} Language */
/**
 * The shape of a translation: as the English text, each part optional.
 * @template T @typedef {T extends (...args: any[]) => any ? T : T extends readonly any[] ? T : T extends object ? { [K in keyof T]?: Translated<T[K]> } : T} Translated
 */
/** @typedef {Translated<Omit<typeof strings, "count">> & { said?: (text: string) => string }} Translation ``said`` says what comes from Python */
/** @typedef {import("./store.js").Model} Model */

/** By their names in themselves. @type {Record<Language, string>} */
export const LANGUAGES = { en: "English", ja: "日本語", zh: "简体中文" };
/** As HTML names them. @type {Record<Language, string>} */
const TAGS = { en: "en", ja: "ja", zh: "zh-Hans" };

/** @param {unknown} value @returns {value is Record<string, any>} */
const isPart = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** @param {any} value @returns {any} */
const copied = (value) => (isPart(value) ? Object.fromEntries(Object.entries(value).map(([key, part]) => [key, copied(part)])) : value);

/** @param {Record<string, any>} into @param {Record<string, any>} from */
function write(into, from) {
  for (const [key, value] of Object.entries(from)) {
    if (isPart(value) && isPart(into[key])) write(into[key], value);
    else into[key] = value;
  }
}

const parts = Object.fromEntries(Object.entries(strings).filter(([, part]) => isPart(part)));
export const ENGLISH = copied(parts);
/** Those that are here. A language's file, lab.ja.js or lab.zh.js, puts its own in; all views of a page share them. @type {Partial<Record<Language, Translation>>} */
export const TRANSLATIONS = (/** @type {any} */ (globalThis).dsparkWords ??= {});
/** @type {Language} */
let spoken = "en";

/** The language that strings.js speaks. */
export const spokenNow = () => spoken;

/** From now on strings.js says everything in this language. @param {Language} language */
export function speak(language) {
  if (language === spoken) return;
  spoken = language;
  write(parts, ENGLISH);
  const { said: _, ...words } = TRANSLATIONS[language] ?? {};
  write(parts, words);
}

/** What Python said, in the language spoken. @param {string} text */
export const translated = (text) => TRANSLATIONS[spoken]?.said?.(text) ?? text;

/** @param {Language} language */
const isHere = (language) => language === "en" || language in TRANSLATIONS;

/** Run a language's file as Python sent it. @param {string} text @param {() => void} then */
function run(text, then) {
  const src = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const script = Object.assign(document.createElement("script"), { src });
  script.onload = script.onerror = () => {
    URL.revokeObjectURL(src);
    script.remove();
    then();
  };
  document.head.append(script);
}

/**
 * Bring a language's words, from the lab's own server where that gives the page, else from Python; then do what waits for them.
 * @param {Language} language @param {Model} model @param {() => void} then @returns {() => void} what ends the waiting
 */
export function bring(language, model, then) {
  let wanted = true;
  const done = () => void (wanted && isHere(language) && then());
  const take = (/** @type {import("./contract").WordsReply} */ message) => {
    if (message?.type === "words" && message.language === language) isHere(language) ? done() : run(message.script, done);
  };
  const { bringDSpark } = /** @type {{ bringDSpark?: (language: string) => Promise<unknown> }} */ (globalThis); // of the hosted page alone
  if (language === "en" || isHere(language)) then();
  else if (bringDSpark) bringDSpark(language).then(done, () => {});
  else {
    model.on("msg:custom", take);
    sendQuietly(model, { type: "words", language });
  }
  return () => {
    wanted = false;
    model.off("msg:custom", take);
  };
}

/** What the reader chose, else what the address asks for (?lang=ja), else the first of the browser's languages that there is. @param {string} choice @returns {Language} */
export function resolve(choice) {
  const wishes = [choice, new URLSearchParams(location.search).get("lang") ?? "", ...navigator.languages];
  for (const wish of wishes) {
    const language = wish.toLowerCase().split("-")[0];
    if (language in LANGUAGES) return /** @type {Language} */ (language);
  }
  return "en";
}

/** Speak the reader's language in everything drawn below, once its words are here; its tag. @param {string} choice @param {Model} model */
export function useLanguage(choice, model) {
  const [language, setLanguage] = useState(() => (isHere(resolve(choice)) ? resolve(choice) : "en"));
  useEffect(() => {
    let leave = () => {};
    const update = () => {
      const wish = resolve(choice);
      leave();
      leave = bring(wish, model, () => setLanguage(wish));
    };
    addEventListener("languagechange", update);
    update();
    return () => {
      leave();
      removeEventListener("languagechange", update);
    };
  }, [choice, model]);
  speak(language);
  if (model.still || kernelAddress()) document.documentElement.lang = TAGS[language]; // a page of the lab's own
  return TAGS[language];
}
