/**
 * Formulas for markdown-it: `$…$` and `\(…\)` in a line, `$$…$$` and `\[…\]` in a line or as a block of their own. A
 * dollar opens only before a letter that is no space, and closes only behind one and before no digit, so that prices
 * stay prices (as Pandoc has it). A closing mark that was not found once is not sought again: all of it is linear.
 */

import type { MarkdownIt, StateBlock, StateInline } from "markdown-it";

const PAIRS: readonly { open: string; close: string; display: boolean }[] = [
  { open: "$$", close: "$$", display: true },
  { open: "\\[", close: "\\]", display: true },
  { open: "\\(", close: "\\)", display: false },
  { open: "$", close: "$", display: false },
];

export const INLINE_MATH = "math_inline";
export const BLOCK_MATH = "math_block";

export function addMath(markdown: MarkdownIt): void {
  markdown.inline.ruler.before("escape", INLINE_MATH, inline);
  markdown.block.ruler.after("blockquote", BLOCK_MATH, block, {
    alt: ["paragraph", "reference", "blockquote", "list"],
  });
}

/** Where in this text no closing mark follows any more. */
const missing = new WeakMap<object, Map<string, number>>();

function find(state: StateInline, close: string, from: number): number {
  const known = missing.get(state) ?? new Map<string, number>();
  missing.set(state, known);
  if (from >= (known.get(close) ?? Number.POSITIVE_INFINITY)) return -1;
  let at = state.src.indexOf(close, from);
  while (at >= 0 && close !== "\\)" && close !== "\\]" && isEscaped(state.src, at))
    at = state.src.indexOf(close, at + 1);
  if (at < 0) known.set(close, from);
  return at;
}

function isEscaped(text: string, at: number): boolean {
  let slashes = 0;
  while (slashes < 8 && text[at - 1 - slashes] === "\\") slashes += 1;
  return slashes % 2 === 1;
}

function inline(state: StateInline, silent: boolean): boolean {
  const { src, pos } = state;
  if (src[pos] !== "$" && src[pos] !== "\\") return false;
  const pair = PAIRS.find(({ open }) => src.startsWith(open, pos));
  if (!pair) return false;
  const from = pos + pair.open.length;
  if (pair.open === "$" && /^(\s|$)/.test(src.slice(from, from + 1))) return false;
  const end = find(state, pair.close, from);
  if (end < 0 || end === from) return false;
  if (pair.open === "$" && (/\s/.test(src[end - 1]!) || /\d/.test(src[end + 1] ?? ""))) return false;
  if (!silent) {
    const token = state.push(INLINE_MATH, "", 0);
    token.content = src.slice(from, end);
    token.markup = pair.display ? "display" : "";
  }
  state.pos = end + pair.close.length;
  return true;
}

function block(state: StateBlock, first: number, last: number, silent: boolean): boolean {
  const line = lineOf(state, first);
  const pair = PAIRS.find(({ open, display }) => display && line.startsWith(open));
  if (!pair || state.sCount[first]! - state.blkIndent >= 4) return false;
  const inside = line.slice(2);
  const closed = inside.indexOf(pair.close);
  if (closed >= 0 && inside.slice(closed + 2).trim() !== "") return false;
  const end = closed >= 0 ? first : endOf(state, pair.close, first + 1, last);
  if (end < 0) return false;
  if (silent) return true;
  const token = state.push(BLOCK_MATH, "", 0);
  token.block = true;
  token.map = [first, end + 1];
  token.content =
    closed >= 0
      ? inside.slice(0, closed)
      : [inside, ...lines(state, first + 1, end), lineOf(state, end).split(pair.close)[0]!].join("\n");
  state.line = end + 1;
  return true;
}

/** Up to which line none ends with this mark. */
const unended = new WeakMap<object, Map<string, number>>();

/** The line that ends the block; a blank line means that it was none. */
function endOf(state: StateBlock, close: string, from: number, last: number): number {
  const known = unended.get(state) ?? new Map<string, number>();
  unended.set(state, known);
  if (from < (known.get(close) ?? 0)) return -1;
  let line = from;
  for (; line < last; line++) {
    const text = lineOf(state, line).trimEnd();
    if (text === "") break;
    if (text.endsWith(close)) return line;
  }
  known.set(close, line);
  return -1;
}

function lines(state: StateBlock, from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => lineOf(state, from + i));
}

function lineOf(state: StateBlock, line: number): string {
  return state.src.slice(state.bMarks[line]! + state.tShift[line]!, state.eMarks[line]);
}
