import { shown } from "../model/text/unseen";
import { BranchLink } from "../parts/BranchLink";
import { Shown } from "../parts/Shown";
import { useJob } from "./JobContext";

/** The passages that the answer cites: their numbers, the source and where it says they stand, and how each begins. */
export function Citations() {
  const { graph } = useJob();
  const citations = graph.answer?.citations ?? [];
  if (citations.length === 0) return null;
  return (
    <ul className="citations small" aria-label="Cited passages">
      {citations.map(({ number, source, branch, title = "", url = "", text = "" }) => (
        <li key={number} dir="auto">
          [{number}] <Place title={title} url={url} /> <span className="faint">{shown(source)}</span>{" "}
          <BranchLink branch={branch} node={graph.branches.get(branch)?.nodes.at(-1)} />
          {text && (
            <blockquote>
              <Shown text={text} />
            </blockquote>
          )}
        </li>
      ))}
    </ul>
  );
}

/** Title and address as the tool told them. Only an address of the web is a link: what else it may be, this page runs not. */
function Place({ title, url }: { title: string; url: string }) {
  const name = shown(title || url);
  if (!/^https?:\/\//i.test(url)) return <>{title && url ? `${name} (${shown(url)})` : name}</>;
  return (
    <a href={url} title={shown(url)} target="_blank" rel="noopener noreferrer nofollow">
      {name}
    </a>
  );
}
