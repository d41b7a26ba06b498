import { useLayoutEffect, useRef } from "react";
import { GraphCanvas } from "../graph/GraphCanvas";
import { sceneOf } from "../graph/scene";
import type { Metrics } from "../model/analysis/metrics";
import type { ReasoningGraph } from "../model/journal/graph";
import { visibleGraph } from "../model/layout/fold";
import { layoutOf } from "../model/layout/layout";
import { useTheme } from "../theme";

interface Props {
  graph: ReasoningGraph;
  metrics: Metrics;
  select: (node: string) => void;
}

/** The folded graph of a finished job as a picture; a click on a node goes there. */
export function MiniGraph({ graph, metrics, select }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const colours = useTheme();
  useLayoutEffect(() => {
    const drawing = new GraphCanvas(canvas.current!, {
      select: (id) => id !== null && graph.nodes.has(id) && select(id),
      hover: () => undefined,
    });
    const visible = visibleGraph(graph, {
      critical: new Set(metrics.critical_by_seconds),
      opened: new Set(),
    });
    drawing.setScene(sceneOf(graph, visible, layoutOf(visible), metrics.critical_by_seconds, null));
    const observer = new ResizeObserver(([entry]) => drawing.setSize(entry!.contentRect));
    observer.observe(host.current!);
    return () => {
      observer.disconnect();
      drawing.destroy();
    };
  }, [graph, graph.seq, metrics, colours]);
  return (
    <div className="graph mini" ref={host}>
      <canvas
        ref={canvas}
        role="img"
        aria-label="Graph of the job; the table of branches lists what it shows"
      />
    </div>
  );
}
