/** The keyboard: one listener, bindings registered by what is on the page, and the sheet that lists them. */

import { useEffect, useRef } from "react";

export interface Binding {
  /** One key as `KeyboardEvent.key` names it, or two after one another: "g j". */
  keys: string;
  does: string;
  group: string;
  run: () => void;
}

const OFF = "anabranch.keys.off";
const SEQUENCE_MS = 900;

const active = new Set<{ current: readonly Binding[] }>();
let prefix = "";
let prefixAt = 0;

export const shortcuts = {
  get on(): boolean {
    return localStorage.getItem(OFF) === null;
  },
  set on(value: boolean) {
    if (value) localStorage.removeItem(OFF);
    else localStorage.setItem(OFF, "1");
  },
};

/** What is bound now; of several bindings of the same keys the latest wins. */
export function bindings(): Binding[] {
  const found = new Map<string, Binding>();
  for (const { current } of active) for (const binding of current) found.set(binding.keys, binding);
  return [...found.values()];
}

export function useKeys(list: readonly Binding[]): void {
  const ref = useRef(list);
  useEffect(() => {
    ref.current = list;
  });
  useEffect(() => {
    active.add(ref);
    return () => void active.delete(ref);
  }, []);
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    target.closest("input:not([type=range]):not([type=checkbox]), textarea, select, [contenteditable]") !==
      null
  );
}

/** Space and Enter press what has the focus; arrows move a slider and scroll what can be scrolled. */
function belongsToControl({ key, target }: KeyboardEvent): boolean {
  if (!(target instanceof Element)) return false;
  if (key === " " || key === "Enter") return target.closest("button, a, summary, input") !== null;
  if (/^(Arrow|Home$|End$)/.test(key)) return target.closest("input, .panel, [role=region]") !== null;
  return false;
}

export function listenToKeys(): void {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target))
      return;
    const modal = document.querySelector("dialog[open]");
    if (modal || (!shortcuts.on && event.key !== "?" && event.key.length === 1)) return;
    if (belongsToControl(event)) return;
    const now = performance.now();
    const sequence = now - prefixAt < SEQUENCE_MS ? `${prefix} ${event.key}` : "";
    const bound = bindings();
    const hit = bound.find((one) => one.keys === sequence) ?? bound.find((one) => one.keys === event.key);
    prefix = event.key;
    prefixAt = now;
    if (!hit) return;
    event.preventDefault();
    hit.run();
  });
}
