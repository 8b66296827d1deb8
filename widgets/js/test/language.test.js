import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { ENGLISH, LANGUAGES, TRANSLATIONS, speak } from "../src/language.js";
import { S } from "../src/strings.js";

const OTHERS = Object.keys(LANGUAGES).filter((language) => language !== "en");
/** No words: names of policies and drafters, and what is written alike everywhere. */
const ALIKE = /^(S\.offered|RACE\.usual)\b|^APP\.appTitle$/;

afterEach(() => speak("en"));

/** Every text and every function of texts, by its path. @returns {[string, any][]} */
const leaves = (value, path = []) =>
  typeof value === "object" && value !== null ? Object.entries(value).flatMap(([key, part]) => leaves(part, [...path, key])) : [[path.join("."), value]];

/** What a function says to several arguments of each kind; markers show which of them it says. */
const SAMPLES = [(i) => `⟦${i}⟧`, () => 0, () => 1, () => 2, () => "", () => true];
const said = (text) => SAMPLES.map((sample) => String(text(...Array.from({ length: text.length }, (_, i) => sample(i)))));
const BROKEN = /undefined|NaN|\[object/;
const markers = (text) => [...new Set(text.match(/⟦\d⟧/g) ?? [])].sort();
const isWords = (text) => /[A-Za-z]{2}/.test(text.replace(/softmax|norm|min|max|\bp_[td]\b/g, ""));

test("another language is spoken where the words are read, and English comes back", () => {
  const held = S.themeNames;
  for (const language of OTHERS) {
    speak(language);
    assert.equal(S.language, TRANSLATIONS[language].S.language);
    assert.equal(S.themeNames, held, "parts stay the same objects");
  }
  speak("en");
  assert.deepEqual(S, ENGLISH.S);
});

test("what a translation lacks stays English", () => {
  const { step } = TRANSLATIONS.ja.S;
  delete TRANSLATIONS.ja.S.step;
  try {
    speak("zh");
    speak("ja");
    assert.equal(S.step, ENGLISH.S.step);
    assert.notEqual(S.back, ENGLISH.S.back);
  } finally {
    TRANSLATIONS.ja.S.step = step;
  }
});

for (const language of OTHERS) {
  const own = Object.fromEntries(leaves(TRANSLATIONS[language]));
  const english = leaves(ENGLISH).filter(([path]) => !ALIKE.test(path));

  test(`${LANGUAGES[language]} lacks no text and has none of its own`, () => {
    assert.deepEqual(english.map(([path]) => path).filter((path) => !(path in own)), [], "not translated yet");
    const known = new Set(leaves(ENGLISH).map(([path]) => path));
    assert.deepEqual(Object.keys(own).filter((path) => !known.has(path)), [], "no English text of that name");
  });

  test(`${LANGUAGES[language]} says with every argument what English says with it`, () => {
    for (const [path, text] of english.filter(([path]) => path in own)) {
      assert.equal(typeof own[path], typeof text, path);
      if (typeof text !== "function") {
        assert.equal(own[path] === "", text === "", path);
        continue;
      }
      const [here, there] = [said(own[path]), said(text)];
      here.forEach((words, i) => {
        if (!BROKEN.test(there[i])) assert.doesNotMatch(words, BROKEN, path);
        if (i === 0) assert.deepEqual(markers(words), markers(there[i]), `${path}: arguments that are said`);
        assert.equal(words === "", there[i] === "", path);
      });
    }
  });

  test(`${LANGUAGES[language]} repeats no English words`, () => {
    const copied = english.filter(([path, text]) => typeof text === "string" && isWords(text) && own[path] === text).map(([path]) => path);
    assert.deepEqual(copied.filter((path) => !/^S\.settings\.top_|^S\.rows\.token\.0$|\.mtp-1$/.test(path)), []);
  });
}
