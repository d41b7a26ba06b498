import { useKeys } from "../keys";
import { criticalSteps } from "../model/layout/rows";
import { nextHit } from "../model/search";
import { useJob } from "./JobContext";
import { fillWindow, measureBy, openGroups, search, selectNode, showView, VIEWS } from "./view";

/** The keys of the job page that hold in every view. */
export function JobKeys() {
  const { graph, path, rows, hits, view } = useJob();
  const to = (node: string | null | undefined): void => {
    if (node) selectNode(node, { replace: true });
  };
  const step = (by: 1 | -1): void =>
    to(
      nextHit(
        rows.map((row) => row.id),
        view.node,
        by,
      ),
    );
  const critical = (by: 1 | -1): void => to(nextHit(criticalSteps(graph, path), view.node, by));
  const group = "Job";
  useKeys([
    { keys: "j", does: "Next node", group, run: () => step(1) },
    { keys: "k", does: "Previous node", group, run: () => step(-1) },
    { keys: "c", does: "Next on the critical path", group, run: () => critical(1) },
    { keys: "C", does: "Previous on the critical path", group, run: () => critical(-1) },
    {
      keys: "p",
      does: "Critical path by seconds or tokens",
      group,
      run: () => measureBy(view.measure === "tokens" ? "seconds" : "tokens"),
    },
    { keys: "/", does: "Search in this job", group, run: () => document.getElementById("find")?.focus() },
    { keys: "n", does: "Next hit", group, run: () => to(nextHit(hits, view.node, 1)) },
    { keys: "N", does: "Previous hit", group, run: () => to(nextHit(hits, view.node, -1)) },
    { keys: "m", does: "Fill the window", group, run: () => fillWindow(!view.full) },
    { keys: "[", does: "Fold wide forks", group, run: () => openGroups(new Set()) },
    { keys: "]", does: "Open all forks", group, run: () => openGroups("all") },
    {
      keys: "Escape",
      does: "Close the details, then the search",
      group,
      run: () => (view.node === null ? search("") : selectNode(null)),
    },
    ...VIEWS.map((name, i) => ({
      keys: String(i + 1),
      does: `Show the ${name}`,
      group,
      run: () => showView(name),
    })),
  ]);
  return null;
}
