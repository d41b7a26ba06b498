/**
 * What differs between two texts, word by word: the shortest edit by Myers ("An O(ND) Difference Algorithm", 1986). Where
 * the texts have little in common, the search ends at a bound, and what is between the common ends counts as all new.
 */

export interface Change {
  kind: "same" | "gone" | "new";
  text: string;
}

/** Edits after which two texts count as different altogether. */
const MOST_EDITS = 800;
/** Letters of each text that are compared. */
export const MOST_LETTERS = 60_000;

export function diff(before: string, after: string): Change[] {
  const a = words(before.slice(0, MOST_LETTERS));
  const b = words(after.slice(0, MOST_LETTERS));
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail += 1;
  const middle = between(a.slice(head, a.length - tail), b.slice(head, b.length - tail));
  return joined([
    { kind: "same", text: a.slice(0, head).join("") },
    ...middle,
    { kind: "same", text: a.slice(a.length - tail).join("") },
  ]);
}

/** Words with the space behind them, and signs alone. */
function words(text: string): string[] {
  return text.match(/[\p{L}\p{N}\p{M}_]+\s*|\s+|[^\p{L}\p{N}\p{M}_\s]\s*/gu) ?? [];
}

function between(a: readonly string[], b: readonly string[]): Change[] {
  const trace = search(a, b);
  if (trace === null)
    return [
      { kind: "gone", text: a.join("") },
      { kind: "new", text: b.join("") },
    ];
  const changes: Change[] = [];
  let x = a.length;
  let y = b.length;
  for (let edits = trace.length - 1; edits >= 0; edits--) {
    const reached = trace[edits]!;
    const diagonal = x - y;
    const down =
      diagonal === -edits || (diagonal !== edits && at(reached, diagonal - 1) < at(reached, diagonal + 1));
    const from = down ? diagonal + 1 : diagonal - 1;
    const startX = edits === 0 ? 0 : at(reached, from);
    const startY = startX - from;
    const stepX = edits === 0 ? 0 : down ? startX : startX + 1;
    while (x > stepX && y > stepX - diagonal) {
      changes.push({ kind: "same", text: a[--x]! });
      y -= 1;
    }
    if (edits === 0) break;
    if (down) changes.push({ kind: "new", text: b[--y]! });
    else changes.push({ kind: "gone", text: a[--x]! });
    x = startX;
    y = startY;
  }
  return changes.reverse();
}

/** For each number of edits, how far each diagonal was reached before it; null where the bound was met first. */
function search(a: readonly string[], b: readonly string[]): Map<number, number>[] | null {
  const trace: Map<number, number>[] = [];
  const reached = new Map<number, number>([[1, 0]]);
  const most = Math.min(MOST_EDITS, a.length + b.length);
  for (let edits = 0; edits <= most; edits++) {
    trace.push(new Map(reached));
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      const down =
        diagonal === -edits || (diagonal !== edits && at(reached, diagonal - 1) < at(reached, diagonal + 1));
      let x = down ? at(reached, diagonal + 1) : at(reached, diagonal - 1) + 1;
      while (x < a.length && x - diagonal < b.length && a[x] === b[x - diagonal]) x += 1;
      reached.set(diagonal, x);
      if (x >= a.length && x - diagonal >= b.length) return trace;
    }
  }
  return null;
}

function at(reached: ReadonlyMap<number, number>, diagonal: number): number {
  return reached.get(diagonal) ?? -1;
}

/** Neighbours of a kind as one. */
function joined(changes: readonly Change[]): Change[] {
  const found: Change[] = [];
  for (const { kind, text } of changes) {
    const last = found.at(-1);
    if (text === "") continue;
    if (last?.kind === kind) last.text += text;
    else found.push({ kind, text });
  }
  return found;
}
