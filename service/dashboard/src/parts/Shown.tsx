import { pieces } from "../model/text/unseen";

/** Text as it stands, what is hidden in it named, and each place marked where `find` stands. */
export function Shown({ text, find = "" }: { text: string; find?: string }) {
  const found = pieces(text);
  if (found.length === 1 && typeof found[0] === "string") return <Marked text={found[0]} find={find} />;
  return found.map((piece, i) =>
    typeof piece === "string" ? (
      <Marked key={i} text={piece} find={find} />
    ) : (
      <span key={i} className="unseen" title={piece.name}>
        {piece.sign}
      </span>
    ),
  );
}

const MOST_MARKED = 400;

function Marked({ text, find }: { text: string; find: string }) {
  const wanted = find.trim().toLowerCase();
  if (wanted === "") return text;
  const lower = text.toLowerCase();
  if (lower.length !== text.length) return text;
  const found = [];
  let from = 0;
  for (
    let at = lower.indexOf(wanted);
    at >= 0 && found.length < 2 * MOST_MARKED;
    at = lower.indexOf(wanted, from)
  ) {
    found.push(text.slice(from, at), <mark key={at}>{text.slice(at, at + wanted.length)}</mark>);
    from = at + wanted.length;
  }
  return [...found, text.slice(from)];
}
