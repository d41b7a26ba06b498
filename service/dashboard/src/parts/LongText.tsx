import { useState } from "react";
import { tokens } from "../model/words";

const FIRST = 4000;
const MORE = 40_000;

interface Props {
  text: string;
  mono?: boolean;
  first?: number;
  find?: string;
}

/** Text from outside (a model, a person): shown as it is, never as markup, and a page of it at a time. */
export function LongText({ text, mono, first = FIRST, find = "" }: Props) {
  const [shown, setShown] = useState(first);
  const rest = text.length - shown;
  return (
    <>
      <div className={mono ? "text mono" : "text"} dir="auto">
        <Marked text={rest > 0 ? text.slice(0, shown) : text} find={find} />
        {rest > 0 && "…"}
      </div>
      {rest > 0 && (
        <button type="button" className="link-button" onClick={() => setShown(shown + MORE)}>
          Load more ({tokens(rest)} characters left)
        </button>
      )}
    </>
  );
}

/** Text that is still being written: its end is what one looks at. */
export function GrowingText({ text }: { text: string }) {
  return (
    <div className="text growing" dir="auto" aria-busy="true">
      {text.length > FIRST && "…"}
      {text.slice(-FIRST)}
    </div>
  );
}

/** The text with each place marked where `find` stands in it. */
function Marked({ text, find }: { text: string; find: string }) {
  const wanted = find.trim().toLowerCase();
  if (wanted === "") return text;
  const lower = text.toLowerCase();
  if (lower.length !== text.length) return text;
  const pieces = [];
  let from = 0;
  for (let at = lower.indexOf(wanted); at >= 0 && pieces.length < 400; at = lower.indexOf(wanted, from)) {
    pieces.push(text.slice(from, at), <mark key={at}>{text.slice(at, at + wanted.length)}</mark>);
    from = at + wanted.length;
  }
  return [...pieces, text.slice(from)];
}
