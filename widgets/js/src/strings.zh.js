// The interface's text in Simplified Chinese: the shape of strings.js.

/** @type {import("./language.js").Translation} */
export default {
  S: {
    language: "语言",
  },
};
