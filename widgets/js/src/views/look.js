// The glossary, language and theme.
import { html } from "../draw/html.js";
import { LANGUAGES } from "../language.js";
import { S } from "../strings.js";
import { rememberLook } from "../remember.js";
import { GlossaryButton } from "./glossary.js";

/** @typedef {import("../contract").Preferences} Preferences */

/** @param {{ preferences: Preferences, setPreferences: (p: Preferences) => void }} props */
export function Look({ preferences, setPreferences }) {
  /** @type {Preferences["theme"][]} */
  const themes = ["auto", "light", "dark"];
  const next = themes[(themes.indexOf(preferences.theme) + 1) % themes.length];
  const choose = (/** @type {Partial<Preferences>} */ choice) => {
    const chosen = { ...preferences, ...choice };
    setPreferences(chosen);
    rememberLook(chosen);
  };
  const names = [["auto", S.languageAuto], ...Object.entries(LANGUAGES)];
  return html`<${GlossaryButton} /><select class="dl-quietselect" data-testid="language" aria-label=${S.language} value=${preferences.language}
      onChange=${(/** @type {any} */ e) => choose({ language: e.target.value })}>
      ${names.map(([value, name]) => html`<option value=${value} lang=${value === "auto" ? undefined : value} selected=${value === preferences.language}>${name}</option>`)}
    </select>
    <button class="dl-quiet" data-testid="theme" onClick=${() => choose({ theme: next })}>${S.themeNames[preferences.theme]}</button>`;
}
