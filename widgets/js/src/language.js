// The language of the interface. Another one's words are written over the English ones, key by key, so that a text it lacks stays English.
import { useEffect, useState } from "preact/hooks";
import * as strings from "./strings.js";
import ja from "./strings.ja.js";
import zh from "./strings.zh.js";

/** @typedef {"en" | "ja" | "zh"} Language */
/**
 * The shape of a translation: as the English text, each part optional.
 * @template T @typedef {T extends (...args: any[]) => any ? T : T extends readonly any[] ? T : T extends object ? { [K in keyof T]?: Translated<T[K]> } : T} Translated
 */
/** @typedef {Translated<Omit<typeof strings, "count">>} Translation */

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
/** @type {Record<Language, Translation>} */
export const TRANSLATIONS = { en: {}, ja, zh };
/** @type {Language} */
let spoken = "en";

/** From now on strings.js says everything in this language. @param {Language} language */
export function speak(language) {
  if (language === spoken) return;
  spoken = language;
  write(parts, ENGLISH);
  write(parts, TRANSLATIONS[language]);
}

/** What the reader chose, else what the address asks for (?lang=ja), else the first of the browser's languages that there is. @param {string} choice @returns {Language} */
export function resolve(choice) {
  const wishes = [choice, new URLSearchParams(location.search).get("lang") ?? "", ...navigator.languages];
  for (const wish of wishes) {
    const language = wish.toLowerCase().split("-")[0];
    if (language in TRANSLATIONS) return /** @type {Language} */ (language);
  }
  return "en";
}

/** Speak the reader's language in everything drawn below; its tag. @param {string} choice */
export function useLanguage(choice) {
  const [language, setLanguage] = useState(() => resolve(choice));
  useEffect(() => {
    const update = () => setLanguage(resolve(choice));
    addEventListener("languagechange", update);
    update();
    return () => removeEventListener("languagechange", update);
  }, [choice]);
  speak(language);
  return TAGS[language];
}
