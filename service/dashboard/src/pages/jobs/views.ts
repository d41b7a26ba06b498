/** What this machine keeps of the list: the columns that are shown, and views by name. */

import { useState } from "react";
import { COLUMNS, USUAL } from "../../model/listing";

const COLUMNS_KEY = "anabranch.columns";
const VIEWS_KEY = "anabranch.views";

export interface SavedView {
  name: string;
  /** The query of its address. */
  query: string;
}

/** What was stored, if it is still what it should be. */
function read(key: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "null");
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

export function useColumns(): [readonly string[], (columns: readonly string[]) => void] {
  const [columns, setColumns] = useState<readonly string[]>(() => {
    const stored = read(COLUMNS_KEY);
    return Array.isArray(stored)
      ? COLUMNS.map(({ name }) => name).filter((name) => stored.includes(name))
      : USUAL;
  });
  return [
    columns,
    (chosen) => {
      localStorage.setItem(COLUMNS_KEY, JSON.stringify(chosen));
      setColumns(chosen);
    },
  ];
}

export function useViews(): [readonly SavedView[], (views: readonly SavedView[]) => void] {
  const [views, setViews] = useState<readonly SavedView[]>(() => {
    const stored = read(VIEWS_KEY);
    if (!Array.isArray(stored)) return [];
    return stored.filter((one) => typeof one?.name === "string" && typeof one?.query === "string");
  });
  return [
    views,
    (kept) => {
      localStorage.setItem(VIEWS_KEY, JSON.stringify(kept));
      setViews(kept);
    },
  ];
}
