/** What must be known of Markdown before the code that reads it is loaded. */

/** Whether anything in the text would look different as Markdown, or as a formula. */
export function isMarked(text: string): boolean {
  return /[*_`#|\\$~<>[\]]|^[ \t]{0,3}(?:[-+]|\d{1,9}[.)])[ \t]/m.test(text);
}

/** The text up to about `most` letters, cut between two paragraphs or lines where there is a place for it. */
export function headOf(text: string, most: number): string {
  if (text.length <= most) return text;
  for (const end of ["\n\n", "\n", " "]) {
    const at = text.lastIndexOf(end, most);
    if (at > most / 2) return text.slice(0, at);
  }
  // Not between the halves of one character.
  return text.slice(0, /[\ud800-\udbff]/.test(text[most - 1] ?? "") ? most - 1 : most);
}
