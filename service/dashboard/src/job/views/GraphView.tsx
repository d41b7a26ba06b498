import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { GraphCanvas } from "../../graph/GraphCanvas";
import { describe, sceneOf } from "../../graph/scene";
import { useKeys } from "../../keys";
import { useDraftsVersion } from "../../live";
import { progressOf } from "../../model/journal/draft";
import { isOver } from "../../model/journal/graph";
import { visibleGraph } from "../../model/layout/fold";
import { layoutOf } from "../../model/layout/layout";
import { useTheme } from "../../theme";
import { useJob } from "../JobContext";
import { openGroups, selectNode } from "../view";
import { Legend } from "./Legend";
import { type Direction, neighbour } from "./neighbour";

/** How often the cards of running branches tell their tokens. */
const REDRAWN_PER_SECOND = 3;

export function GraphView() {
  const { feed, graph, version, path, critical, hits, view, moment, now } = useJob();
  const drafted = useDraftsVersion(feed.drafts, REDRAWN_PER_SECOND);
  const host = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const drawing = useRef<GraphCanvas | null>(null);
  const kept = useRef<ReadonlySet<string>>(new Set());
  const [hovered, setHovered] = useState<{ id: string; x: number; y: number } | null>(null);
  const pinned = view.node?.split("/")[0];

  const { visible, layout } = useMemo(() => {
    const wishes = { critical, opened: view.opened, pinned: pinned ? [pinned] : [], kept: kept.current };
    const shown = visibleGraph(graph, wishes);
    kept.current = isOver(graph.status) ? new Set() : new Set(shown.lanes.map((lane) => lane.id));
    return { visible: shown, layout: layoutOf(shown) };
  }, [graph, version, critical, view.opened === "all" ? "all" : [...view.opened].join(), pinned]);

  const scene = useMemo(
    () =>
      sceneOf(graph, visible, layout, path, moment, (branch, segment) =>
        progressOf(feed.drafts.of(branch, segment), now),
      ),
    [graph, version, visible, layout, path, moment, drafted, isOver(graph.status) ? 0 : now],
  );
  const selected = view.node === null ? null : (visible.home.get(view.node) ?? view.node);

  const choose = (id: string | null): void => {
    const node = scene.visible.nodes.find((one) => one.id === id);
    if (node?.kind === "stack")
      openGroups(new Set([...(view.opened === "all" ? [] : view.opened), node.group]));
    else selectNode(id);
  };
  const chosen = useRef(choose);
  chosen.current = choose;

  useLayoutEffect(() => {
    const made = new GraphCanvas(canvas.current!, {
      select: (id) => chosen.current(id),
      hover: (id, x, y) => setHovered(id === null ? null : { id, x, y }),
    });
    drawing.current = made;
    Object.assign(canvas.current!, { graph: made });
    const observer = new ResizeObserver(([entry]) => {
      const { width, height } = entry!.contentRect;
      made.setSize({ width, height });
    });
    observer.observe(host.current!);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, []);

  const colours = useTheme();
  useEffect(() => drawing.current?.recolour(), [colours]);
  useLayoutEffect(() => drawing.current?.setScene(scene), [scene]);
  useEffect(() => {
    const homes = view.find.trim() === "" ? null : new Set(hits.map((id) => visible.home.get(id) ?? id));
    drawing.current?.setFocus({ selected, hits: homes });
    if (selected !== null) drawing.current?.reveal(selected);
  }, [selected, hits, visible, view.find]);

  const step = (direction: Direction): void => {
    const next = neighbour(scene, selected, direction);
    if (next !== null) selectNode(next, { replace: true });
  };
  const group = "Graph";
  useKeys([
    { keys: "ArrowLeft", does: "What it came from", group, run: () => step("left") },
    { keys: "ArrowRight", does: "What follows", group, run: () => step("right") },
    { keys: "ArrowUp", does: "Node above", group, run: () => step("up") },
    { keys: "ArrowDown", does: "Node below", group, run: () => step("down") },
    { keys: "Enter", does: "Open the folded branches", group, run: () => selected && choose(selected) },
    { keys: "+", does: "Zoom in", group, run: () => drawing.current?.zoom(1.3) },
    { keys: "-", does: "Zoom out", group, run: () => drawing.current?.zoom(1 / 1.3) },
    { keys: "0", does: "Fit all", group, run: () => drawing.current?.fit() },
    { keys: "a", does: "Move left", group, run: () => drawing.current?.pan(120, 0) },
    { keys: "d", does: "Move right", group, run: () => drawing.current?.pan(-120, 0) },
    { keys: "w", does: "Move up", group, run: () => drawing.current?.pan(0, 90) },
    { keys: "s", does: "Move down", group, run: () => drawing.current?.pan(0, -90) },
  ]);

  const words = selected === null ? "" : describe(scene, selected);
  return (
    <div className="graph" ref={host}>
      <canvas
        ref={canvas}
        tabIndex={0}
        role="application"
        aria-label="Graph of the job. Arrow keys go from node to node. The waterfall lists the same nodes."
        aria-describedby="graph-selected"
        data-nodes={visible.nodes.length}
      />
      <p id="graph-selected" className="visually-hidden" aria-live="polite">
        {words}
      </p>
      {hovered && (
        <div className="tooltip" style={{ left: hovered.x + 14, top: hovered.y + 14 }} aria-hidden="true">
          {describe(scene, hovered.id)}
        </div>
      )}
      <Legend />
      <div className="graph-tools">
        <button
          type="button"
          className="button small-button icon"
          aria-label="Zoom in"
          title="Zoom in (+)"
          onClick={() => drawing.current?.zoom(1.3)}
        >
          +
        </button>
        <button
          type="button"
          className="button small-button icon"
          aria-label="Zoom out"
          title="Zoom out (-)"
          onClick={() => drawing.current?.zoom(1 / 1.3)}
        >
          −
        </button>
        <button
          type="button"
          className="button small-button"
          title="Fit all (0)"
          onClick={() => drawing.current?.fit()}
        >
          Fit
        </button>
      </div>
    </div>
  );
}
