import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef, useState } from "react";
import { useDraftsVersion } from "../../live";
import { type BranchOrder, type BranchRow, branchRows } from "../../model/analysis/branches";
import { shown } from "../../model/text/unseen";
import { money, seconds, tokens } from "../../model/words";
import { BranchLink } from "../../parts/BranchLink";
import { Status } from "../../parts/small";
import { useJob } from "../JobContext";

const ROW = 30;
const HEADS: readonly [string, BranchOrder | null][] = [
  ["Branch", "branch"],
  ["Status", null],
  ["Model", null],
  ["Tokens", "tokens"],
  ["Cost", "cost"],
  ["Work", "seconds"],
  ["Attempts", "attempts"],
  ["Outcome", null],
];

/** Each branch with its model, tokens, cost and time; a head sorts. */
export function Branches() {
  const { feed, graph, version, view } = useJob();
  const scroller = useRef<HTMLDivElement>(null);
  const [order, setOrder] = useState<BranchOrder>("branch");
  const drafted = useDraftsVersion(feed.drafts, 2);
  const all = useMemo(
    () => branchRows(graph, order, (branch) => feed.drafts.tokensOf(branch)),
    [feed, graph, version, order, drafted],
  );
  const wanted = view.find.trim().toLowerCase();
  const rows = all.filter(
    ({ branch, name, model, fate }) =>
      wanted === "" || `${branch.id} ${branch.role} ${name} ${model} ${fate}`.toLowerCase().includes(wanted),
  );
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    getItemKey: (index) => rows[index]!.branch.id,
    overscan: 10,
  });
  return (
    <div className="branch-table" role="table" aria-label="Branches" aria-rowcount={rows.length + 1}>
      <div role="row" className="branch-row head">
        {HEADS.map(([title, by]) => (
          <span key={title} role="columnheader" aria-sort={by === order ? "descending" : undefined}>
            {by === null ? (
              title
            ) : (
              <button type="button" className="link-button" onClick={() => setOrder(by)}>
                {title}
                {by === order && by !== "branch" && <span aria-hidden="true"> ▾</span>}
              </button>
            )}
          </span>
        ))}
      </div>
      <div className="branch-rows" ref={scroller} tabIndex={0} role="rowgroup">
        <div style={{ height: virtual.getTotalSize() }} role="presentation" className="transcript-all">
          {virtual.getVirtualItems().map(({ index, key, start }) => (
            <div
              key={key}
              role="row"
              aria-rowindex={index + 2}
              className={`branch-row${rows[index]!.branch.nodes.includes(view.node ?? "") ? " selected" : ""}`}
              style={{ transform: `translateY(${start}px)`, height: ROW }}
            >
              <Cells row={rows[index]!} />
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}

function Cells({
  row: { branch, name, model, tokens: count, cost, seconds: work, fate },
}: {
  row: BranchRow;
}) {
  return (
    <>
      <span role="cell">
        <BranchLink branch={branch.id} node={branch.nodes.at(-1)} />{" "}
        <span className="quiet">{shown(name)}</span>
      </span>
      <span role="cell">
        <Status of={branch.status} />
      </span>
      <span role="cell">{shown(model)}</span>
      <span role="cell" className="number">
        {tokens(count)}
      </span>
      <span role="cell" className="number">
        {cost > 0 ? money(cost) : "–"}
      </span>
      <span role="cell" className="number">
        {work > 0 ? seconds(work) : "–"}
      </span>
      <span role="cell" className="number">
        {branch.attempts}
      </span>
      <span role="cell" className="quiet">
        {shown(fate)}
      </span>
    </>
  );
}
