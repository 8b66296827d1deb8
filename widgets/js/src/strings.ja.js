// The interface's text in Japanese: the shape of strings.js.

/** @type {import("./language.js").Translation} */
export default {
  S: {
    language: "表示言語",
  },
};
