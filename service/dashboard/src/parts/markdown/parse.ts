/**
 * Reads Markdown into a tree of a few known kinds. What is not on the list becomes the text that it is: there is no HTML,
 * no image is fetched, and a link leads to the web or a mailbox or is none.
 */

import MarkdownIt, { type StateBlock, type Token } from "markdown-it";
import { addMath, BLOCK_MATH, INLINE_MATH } from "./mathRules";

export type Node =
  | { kind: "text"; text: string }
  | { kind: "element"; tag: Tag; children: Node[]; start?: number; align?: string }
  | { kind: "heading"; level: number; children: Node[] }
  | { kind: "link"; href: string; children: Node[] }
  | { kind: "code"; text: string; language: string }
  | { kind: "codespan"; text: string }
  | { kind: "math"; tex: string; display: boolean }
  | { kind: "break" }
  | { kind: "rule" };

const TAGS = [
  "p",
  "blockquote",
  "ul",
  "ol",
  "li",
  "table",
  "thead",
  "tbody",
  "tr",
  "th",
  "td",
  "strong",
  "em",
  "s",
] as const;

export type Tag = (typeof TAGS)[number];

/** Elements around a text: five lists, or ten quotes. Deeper is no outline, and a panel has no room for it. */
const DEEPEST = 10;

const known: ReadonlySet<string> = new Set(TAGS);
const markdown = new MarkdownIt({ html: false, linkify: false, typographer: false, breaks: true });
addMath(markdown);
markdown.block.ruler.before("table", "deepest", deepest);

/** The text as a tree. */
export function parse(text: string): Node[] {
  return read(markdown.parse(text, {}));
}

/** Takes what stands too deep as text, marks and all; markdown-it itself would drop it, and all that follows. */
function deepest(state: StateBlock, start: number, end: number, silent: boolean): boolean {
  if (silent || state.level < DEEPEST) return false;
  let next = start + 1;
  while (next < end && !state.isEmpty(next) && state.sCount[next]! >= state.blkIndent) next++;
  const written = state.getLines(start, next, state.blkIndent, false).trim();
  state.line = next;
  state.push("paragraph_open", "p", 1);
  Object.assign(state.push("inline", "", 0), { content: written, children: [] });
  state.push("paragraph_close", "p", -1);
  return true;
}

function read(tokens: readonly Token[]): Node[] {
  const root: Node[] = [];
  const open: Node[][] = [root];
  for (const token of tokens) {
    const here = open.at(-1)!;
    if (token.nesting === 1) {
      const node = opened(token);
      if (node) here.push(node);
      // The children of what is not known stand where it would have stood.
      open.push(node && "children" in node ? node.children : here);
    } else if (token.nesting === -1) {
      if (open.length > 1) open.pop();
    } else if (token.type === "inline") here.push(...read(token.children ?? []));
    else here.push(...leaf(token));
  }
  return root;
}

function opened(token: Token): Node | null {
  // Of a tight list the paragraphs are not drawn.
  if (token.hidden) return null;
  if (token.type === "heading_open")
    return { kind: "heading", level: Number(token.tag.slice(1)), children: [] };
  if (token.type === "link_open") {
    const href = String(token.attrGet("href") ?? "");
    return isLeading(href) ? { kind: "link", href, children: [] } : null;
  }
  if (!known.has(token.tag)) return null;
  const start = token.attrGet("start");
  const align = /text-align:(left|center|right)/.exec(String(token.attrGet("style") ?? ""))?.[1];
  return {
    kind: "element",
    tag: token.tag as Tag,
    children: [],
    ...(start === null || start === undefined ? {} : { start: Number(start) }),
    ...(align === undefined ? {} : { align }),
  };
}

function leaf(token: Token): Node[] {
  switch (token.type) {
    case "fence":
    case "code_block":
      return [{ kind: "code", text: token.content, language: token.info.trim().split(/\s/)[0] ?? "" }];
    case "code_inline":
      return [{ kind: "codespan", text: token.content }];
    case INLINE_MATH:
      return [{ kind: "math", tex: token.content, display: token.markup === "display" }];
    case BLOCK_MATH:
      return [{ kind: "math", tex: token.content, display: true }];
    case "softbreak":
    case "hardbreak":
      return [{ kind: "break" }];
    case "hr":
      return [{ kind: "rule" }];
    case "image":
      return image(token);
    default:
      return token.content === "" ? [] : [{ kind: "text", text: token.content }];
  }
}

/** A picture is a link to it: this page asks nobody else for anything. */
function image(token: Token): Node[] {
  const href = String(token.attrGet("src") ?? "");
  const children: Node[] = [{ kind: "text", text: `[picture: ${token.content || "without a name"}]` }];
  return isLeading(href) ? [{ kind: "link", href, children }] : children;
}

function isLeading(href: string): boolean {
  return /^(?:https?:\/\/|mailto:)/i.test(href);
}
