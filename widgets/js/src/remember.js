// What the browser remembers from one visit to the next, where it may.

/** @param {string} name */
export function recall(name) {
  try {
    return localStorage.getItem(`dspark-lab.${name}`);
  } catch {
    return null; // storage is switched off
  }
}

/** @param {string} name @param {string} value */
export function remember(name, value) {
  try {
    localStorage.setItem(`dspark-lab.${name}`, value);
  } catch {
    // it is asked again next time
  }
}
