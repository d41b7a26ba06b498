/** What the job page looks at, read from and written to the address: view, node, folds, search, order, playhead. */

import { useEffect, useState } from "react";
import type { Measure } from "../model/analysis/criticalPath";
import type { Order } from "../model/layout/rows";
import { changeQuery, usePlace } from "../router";

export type View = "graph" | "waterfall" | "branches" | "transcript" | "journal";

export const VIEWS: readonly View[] = ["graph", "waterfall", "branches", "transcript", "journal"];

export interface JobView {
  view: View;
  node: string | null;
  /** Fork groups that are open, or all. */
  opened: ReadonlySet<string> | "all";
  find: string;
  order: Order;
  /** By what the critical path is measured. */
  measure: Measure;
  /** The views fill the window. */
  full: boolean;
}

export function useJobView(): JobView {
  const { query } = usePlace();
  const view = query.get("view") as View;
  const open = query.get("open") ?? "";
  return {
    view: VIEWS.includes(view) ? view : "graph",
    node: query.get("node"),
    opened: open === "all" ? "all" : new Set(open.split(",").filter(Boolean)),
    find: query.get("find") ?? "",
    order: query.get("order") === "branch" ? "branch" : "start",
    measure: query.get("path") === "tokens" ? "tokens" : "seconds",
    full: query.get("full") === "1",
  };
}

export function showView(view: View): void {
  changeQuery({ view: view === "graph" ? null : view });
}

/** Selecting with the mouse makes a step that "back" takes back; stepping with keys does not fill the history. */
export function selectNode(node: string | null, options: { replace?: boolean } = {}): void {
  changeQuery({ node }, options);
}

export function openGroups(opened: ReadonlySet<string> | "all"): void {
  changeQuery({ open: opened === "all" ? "all" : [...opened].join(",") });
}

const SETTLED_MS = 400;

/**
 * Seconds after the submission at which the playhead stands; null is the end, or now. It moves many times a second, so
 * the address follows only when it rests.
 */
export function usePlayhead(): [number | null, (seconds: number | null) => void] {
  const written = usePlace().query.get("t") ?? "";
  const [playhead, setPlayhead] = useState<number | null>(() => read(written));
  useEffect(() => setPlayhead(read(written)), [written]);
  useEffect(() => {
    const text = playhead === null ? null : playhead.toFixed(2);
    if ((text ?? "") === written) return;
    const timer = setTimeout(() => changeQuery({ t: text }, { replace: true }), SETTLED_MS);
    return () => clearTimeout(timer);
  }, [playhead, written]);
  return [playhead, setPlayhead];
}

function read(text: string): number | null {
  const playhead = Number.parseFloat(text);
  return Number.isFinite(playhead) ? playhead : null;
}

export function search(find: string): void {
  changeQuery({ find }, { replace: true });
}

export function orderBy(order: Order): void {
  changeQuery({ order: order === "start" ? null : order }, { replace: true });
}

export function measureBy(measure: Measure): void {
  changeQuery({ path: measure === "seconds" ? null : measure }, { replace: true });
}

export function fillWindow(full: boolean): void {
  changeQuery({ full: full ? "1" : null }, { replace: true });
}
