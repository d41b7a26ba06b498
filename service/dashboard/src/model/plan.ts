/** A plan as `dag/policies/graphs/plan.py` writes it, read for people: subtasks in columns by what they wait for. */

export interface Subtask {
  id: string;
  question: string;
  after: readonly string[];
  /** How many subtasks lie before it on the longest way. */
  column: number;
}

export interface Plan {
  subtasks: readonly Subtask[];
  synthesis: string;
}

/** The plan, or null for a text that is none. Of cycles and unknown names nothing is made up. */
export function readPlan(text: string): Plan | null {
  const read = json(text);
  if (read === null || typeof read !== "object") return null;
  const { subtasks, synthesis, direct } = read as Record<string, unknown>;
  if (direct === true) return { subtasks: [], synthesis: "" };
  if (!Array.isArray(subtasks) || !subtasks.every(isSubtask)) return null;
  return { subtasks: placed(subtasks), synthesis: typeof synthesis === "string" ? synthesis : "" };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

type Written = Omit<Subtask, "column">;

function isSubtask(one: unknown): one is Written {
  if (one === null || typeof one !== "object") return false;
  const { id, question, after } = one as Record<string, unknown>;
  return (
    typeof id === "string" &&
    typeof question === "string" &&
    Array.isArray(after) &&
    after.every((name) => typeof name === "string")
  );
}

function placed(subtasks: readonly Written[]): Subtask[] {
  const columns = new Map<string, number>();
  // Each round places what waits for placed ones only; on a cycle the rest stays in the first column.
  for (let round = 0; round < subtasks.length && columns.size < subtasks.length; round++) {
    for (const { id, after } of subtasks) {
      const before = after
        .filter((name) => subtasks.some((one) => one.id === name))
        .map((name) => columns.get(name));
      if (before.every((column) => column !== undefined))
        columns.set(id, Math.max(-1, ...before.map((column) => column ?? 0)) + 1);
    }
  }
  return subtasks.map((one) => ({ ...one, column: columns.get(one.id) ?? 0 }));
}
