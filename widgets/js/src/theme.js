// Light or dark: what the reader chose, else what the host says, else the system.
import { useEffect, useState } from "preact/hooks";

/** @param {string} choice @returns {"light" | "dark"} */
export function resolve(choice) {
  if (choice === "light" || choice === "dark") return choice;
  const asked = new URLSearchParams(location.search).get("theme");
  if (asked === "light" || asked === "dark") return asked;
  const { jpThemeLight: host, dspark } = document.body.dataset; // the lab's own page has no theme but its view's
  if (host !== undefined && !dspark) return host === "false" ? "dark" : "light";
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** The theme now, following host and system. @param {string} choice */
export function useTheme(choice) {
  const [theme, setTheme] = useState(resolve(choice));
  useEffect(() => {
    const update = () => setTheme(resolve(choice));
    const system = matchMedia("(prefers-color-scheme: dark)");
    const host = new MutationObserver(update);
    host.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
    system.addEventListener("change", update);
    update();
    return () => {
      host.disconnect();
      system.removeEventListener("change", update);
    };
  }, [choice]);
  return theme;
}
