/** Light or dark: as the system prefers, or as chosen on this machine. */

import { useSyncExternalStore } from "react";

const KEY = "anabranch.theme";
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

export type Theme = "light" | "dark";

export function theme(): Theme {
  const chosen = document.documentElement.dataset.theme;
  if (chosen === "light" || chosen === "dark") return chosen;
  return dark.matches ? "dark" : "light";
}

export function toggleTheme(): void {
  const next: Theme = theme() === "dark" ? "light" : "dark";
  const isSystems = (next === "dark") === dark.matches;
  if (isSystems) {
    delete document.documentElement.dataset.theme;
    localStorage.removeItem(KEY);
  } else {
    document.documentElement.dataset.theme = next;
    localStorage.setItem(KEY, next);
  }
  for (const listener of listeners) listener();
}

export function useTheme(): Theme {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    dark.addEventListener("change", listener);
    return () => {
      listeners.delete(listener);
      dark.removeEventListener("change", listener);
    };
  }, theme);
}
