/**
 * Finds what a text hides: characters that have no picture of their own (controls, changes of direction, zero widths,
 * tags) and marks that are piled onto one letter. They are told by name instead of being let work on the page. Joiners
 * and selectors stay where a script or an emoji needs them.
 */

/** What stands in the text's place; `name` is for people. */
export interface Unseen {
  sign: string;
  name: string;
}

export type Piece = string | Unseen;

const DIRECTIONS: Record<number, string> = {
  1564: "ALM",
  8206: "LRM",
  8207: "RLM",
  8234: "LRE",
  8235: "RLE",
  8236: "PDF",
  8237: "LRO",
  8238: "RLO",
  8294: "LRI",
  8295: "RLI",
  8296: "FSI",
  8297: "PDI",
};

// Runs of one kind each; \p{Cf} holds directions, zero widths and tags, \p{Default_Ignorable_Code_Point} the fillers.
const HIDDEN = String.raw`(?![\n\t\r])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Default_Ignorable_Code_Point}]`;
const COMBINING = String.raw`[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]`;
/** So many marks on one letter are lifelike (Vietnamese has two). */
const MOST_MARKS = 3;
/** Marks of other scripts, which stack by nature. */
const MOST_STACKED = 10;
const FOUND = new RegExp(
  `(?<hidden>${HIDDEN}+)|(?<=${COMBINING}{${MOST_MARKS}})(?<piled>${COMBINING}+)|(?<=\\p{M}{${MOST_STACKED}})(?<stacked>\\p{M}+)`,
  "gu",
);
const ANY = new RegExp(`${HIDDEN}|${COMBINING}{${MOST_MARKS + 1}}|\\p{M}{${MOST_STACKED + 1}}`, "u");

const JOINERS = /^[\u200c\u200d]$/;
const SELECTOR = /^[\ufe0e\ufe0f]$/;
/** Letters and marks of scripts in which a joiner changes the word's look. */
const JOINED = /[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Mongolian}\p{M}]$/u;
const PICTURED = /(?:\p{Extended_Pictographic}|\p{Emoji_Modifier}|\ufe0f)$/u;
const SELECTED = /[\p{Emoji}\p{Script=Han}\p{S}]$/u;

/** The text in pieces, as it may be shown. Joined again, with each sign in its place, it is safe everywhere. */
export function pieces(text: string): Piece[] {
  if (!ANY.test(text)) return [text];
  const found: Piece[] = [];
  let from = 0;
  for (const match of text.matchAll(FOUND)) {
    const before = text.slice(Math.max(0, match.index - 2), match.index);
    if (isNeeded(match[0], before)) continue;
    if (match.index > from) found.push(text.slice(from, match.index));
    found.push(match.groups?.hidden === undefined ? piled(match[0]) : hidden(match[0]));
    from = match.index + match[0].length;
  }
  if (from < text.length) found.push(text.slice(from));
  return found;
}

/** The same as one string, for places that take no markup: titles, canvases, lists. */
export function shown(text: string): string {
  if (!ANY.test(text)) return text;
  return pieces(text)
    .map((piece) => (typeof piece === "string" ? piece : piece.sign))
    .join("");
}

function isNeeded(run: string, before: string): boolean {
  if (JOINERS.test(run)) return JOINED.test(before) || PICTURED.test(before);
  return SELECTOR.test(run) && SELECTED.test(before);
}

function piled(run: string): Unseen {
  const count = [...run].length;
  return { sign: `⟨+${count}⟩`, name: `${count} more marks were piled onto this letter` };
}

function hidden(run: string): Unseen {
  const letters = [...run];
  const names = letters.slice(0, 3).map(nameOf);
  const tagged = letters.map(tagOf).join("");
  const more = letters.length > 3 ? ` and ${letters.length - 3} more` : "";
  const sign = letters.length > 3 ? `⟨${letters.length} hidden⟩` : `⟨${names.join(" ")}⟩`;
  const spelled = tagged ? `; as tags they spell “${tagged.slice(0, 200)}”` : "";
  return { sign, name: `Hidden: ${names.join(", ")}${more}${spelled}` };
}

function nameOf(letter: string): string {
  const code = letter.codePointAt(0)!;
  return DIRECTIONS[code] ?? `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** What a tag character spells: they repeat ASCII where nobody sees it. */
function tagOf(letter: string): string {
  const code = letter.codePointAt(0)! - 0xe0000;
  return code >= 0x20 && code < 0x7f ? String.fromCodePoint(code) : "";
}
