/** Where the user is: path and query, kept in the address bar so that everything selectable has a link. */

import { useSyncExternalStore } from "react";

const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("popstate", listener);
  };
}

export function navigate(href: string, options: { replace?: boolean } = {}): void {
  if (href === window.location.pathname + window.location.search) return;
  const samePage = href.split("?")[0] === window.location.pathname;
  window.history[options.replace ? "replaceState" : "pushState"](null, "", href);
  if (!samePage) window.scrollTo(0, 0);
  for (const listener of listeners) listener();
}

export interface Place {
  path: string;
  query: URLSearchParams;
}

export function usePlace(): Place {
  const href = useSyncExternalStore(subscribe, () => window.location.pathname + window.location.search);
  const [path = "/", search = ""] = href.split("?");
  return { path, query: new URLSearchParams(search) };
}

/** A part of a path as it was before it was written into one; what cannot be read so stays as it is. */
export function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Several values stand one after the other. */
type Change = string | null | readonly string[];

/** The current address with these parameters changed; null takes one away. Slashes stay readable. */
export function addressWith(changes: Record<string, Change>): string {
  const query = new URLSearchParams(window.location.search);
  for (const [name, value] of Object.entries(changes)) {
    query.delete(name);
    for (const one of typeof value === "string" ? [value] : (value ?? []))
      if (one !== "") query.append(name, one);
  }
  const text = query.toString().replaceAll("%2F", "/").replaceAll("%40", "@").replaceAll("%2C", ",");
  return window.location.pathname + (text ? `?${text}` : "");
}

export function changeQuery(changes: Record<string, Change>, options: { replace?: boolean } = {}): void {
  navigate(addressWith(changes), options);
}

export function jobAddress(job: string, node?: string): string {
  return `/jobs/${job}${node ? `?node=${node}` : ""}`;
}
