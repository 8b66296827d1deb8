import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { ENGLISH, LANGUAGES, TRANSLATIONS, bring, speak, translated } from "../src/language.js";
import { stillModel } from "../src/store.js";
import { S } from "../src/strings.js";
import saidJa from "../src/said.ja.json" with { type: "json" };
import saidZh from "../src/said.zh.json" with { type: "json" };
import ja from "../src/strings.ja.js";
import zh from "../src/strings.zh.js";

Object.assign(TRANSLATIONS, { ja, zh });
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

test("a language that is not here is asked of the page's server, else of Python, and English stays until it comes", async () => {
  delete TRANSLATIONS.ja;
  const asked = [];
  const model = { ...stillModel({}), send: (message) => asked.push(message) };
  let came = 0;
  try {
    bring("ja", model, () => came++);
    assert.deepEqual(asked, [{ type: "words", language: "ja" }]);
    speak("ja");
    assert.equal(S.step, ENGLISH.S.step);
    speak("en");

    globalThis.bringDSpark = async (language) => void (TRANSLATIONS[language] = ja);
    const leave = bring("ja", model, () => assert.fail("nobody waits any more"));
    leave();
    await new Promise((done) => bring("zh", model, done)); // it is here: nobody is asked
    delete TRANSLATIONS.ja;
    await new Promise((done) => bring("ja", model, done));
    assert.equal(asked.length, 1);
    assert.equal(came, 0);
  } finally {
    delete globalThis.bringDSpark;
    TRANSLATIONS.ja = ja;
  }
});

for (const language of OTHERS) {
  const { said: _, ...words } = TRANSLATIONS[language];
  const own = Object.fromEntries(leaves(words));
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

test("what Python says is said in the page's language, whole or sentence by sentence", () => {
  assert.deepEqual(Object.keys(saidJa), Object.keys(saidZh));
  const why = "Admitting x_3 would lower Theta from 1,234.5 to 1,230.";
  assert.equal(translated(why), why);
  speak("ja");
  assert.equal(translated(why), "x_3 を採用すると Θ は 1,234.5 から 1,230 に下がる。");
  assert.equal(translated("The step rate is modelled, not measured: roofline of Qwen3-4B on L4, context 1,024."), "ステップ速度は実測ではなくモデル値：L4 での Qwen3-4B のルーフライン、文脈長 1,024。");
  assert.equal(translated(`${why} Something new. Everything drafted is verified, whatever the load.`), `${translated(why)} Something new. 負荷によらず、ドラフトはすべて検証する。`);
  assert.equal(translated(""), "");
  for (const places of ["1 place", "3 places"]) assert.match(translated(`The next in line, x_1 of another request, would leave Theta at 9; x_2 stands ${places} behind.`), /^列の次.*その \d つ後ろ。$/);
  speak("zh");
  assert.match(translated("<b>{1}</b>: round 2"), /^<b>\{1\}<\/b>：第 2 轮$/); // what varies stays as it came
});
