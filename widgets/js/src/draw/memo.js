// Drawing again only what has changed.
import { Component } from "preact";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { spokenNow } from "../language.js";
import { html } from "./html.js";

/** @param {Record<string, any>} a @param {Record<string, any>} b */
const differ = (a, b) => Object.keys({ ...a, ...b }).some((name) => a[name] !== b[name]);

/**
 * A view that is drawn again only where one of its properties is another one than before, or the page speaks another language.
 * @template {(props: any) => any} View
 * @param {View} view @returns {View}
 */
export function memo(view) {
  class Kept extends Component {
    said = spokenNow();
    /** @param {any} next */
    shouldComponentUpdate(next) {
      const said = this.said;
      this.said = spokenNow();
      return said !== this.said || differ(this.props, next);
    }
    /** @param {any} props */
    render(props) {
      return html`<${view} ...${props} />`;
    }
  }
  return /** @type {any} */ (Kept);
}

/**
 * A function for a view's events that stays the same one, and does what its latest version does.
 * @template {(...given: any[]) => any} Act
 * @param {Act} act @returns {Act}
 */
export function useSame(act) {
  const latest = useRef(act);
  latest.current = act;
  return /** @type {any} */ (useCallback((/** @type {any[]} */ ...given) => latest.current(...given), /** @type {any[]} */ ([])));
}

/**
 * A value as it was in the last picture: what is drawn from it follows one picture later, and does not delay what answers the reader first.
 * @template T
 * @param {T} value @param {(old: T, now: T) => boolean} late whether the old value may still be shown
 * @returns {T}
 */
export function useAfterPaint(value, late) {
  const [painted, setPainted] = useState(value);
  useEffect(() => setPainted(value), [value]);
  return late(painted, value) ? painted : value;
}
