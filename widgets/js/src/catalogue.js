// What Python says, in another language. Its English is the key: {} is what varies, {1}, {2}, ... where that goes, [s] what may be missing.

/** @param {string} text */
const literally = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** @param {string} english */
const pattern = (english) =>
  new RegExp(`^${english.split(/(\{\}|\[\w+\])/).map((part) => (part === "{}" ? "(.+?)" : part[0] === "[" ? `(?:${part.slice(1, -1)})?` : literally(part))).join("")}$`, "su");

/**
 * Says a text in the language of ``entries``: sentence by sentence, else whole; what has no entry stays as it is.
 * @param {Record<string, string>} entries @returns {(text: string) => string}
 */
export function catalogue(entries) {
  const known = Object.entries(entries).map(([english, said]) => /** @type {const} */ ([pattern(english), said]));
  /** @param {string} text @returns {string | undefined} */
  const whole = (text) => {
    for (const [english, said] of known) {
      const found = english.exec(text);
      if (found) return said.replace(/\{(\d)\}/g, (_, n) => whole(found[n]) ?? found[n]);
    }
  };
  return (text) => {
    const sentences = text.split(/(?<=\.) (?=[A-Z])/);
    const found = sentences.map(whole);
    return found.some(Boolean) ? found.map((said, i) => said ?? sentences[i]).join(" ") : (whole(text) ?? text);
  };
}
