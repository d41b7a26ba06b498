/**
 * Where the nodes stand. Columns are longest-path ranks, left to right; every branch has a row of its own between its
 * fork and its join, the trunk runs straight and its branches lie symmetrically above and below, like the arms of a
 * river. So no edge crosses a node: it turns only in the gap beside a column. Linear but for the packing of the rows.
 */

import { topologicalOrder } from "../analysis/criticalPath";
import { isPoint, type Lane, type VisibleEdge, type VisibleGraph, type VisibleNode } from "./fold";

export interface Box {
  /** Centre. */
  x: number;
  y: number;
  width: number;
  height: number;
  column: number;
}

/** An edge as it is drawn: level at `y1` until `bend`, a curve to `y2` by `bendEnd`, level to the target. */
export interface Route {
  edge: VisibleEdge;
  x1: number;
  y1: number;
  x2: number;
  y2: number;
  bend: number;
  bendEnd: number;
}

export interface Layout {
  boxes: Map<string, Box>;
  routes: Route[];
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export const NODE = { width: 124, height: 34, point: 16, pitch: 44, gap: 40 } as const;

export function layoutOf(graph: VisibleGraph): Layout {
  const column = columns(graph);
  const { left, right } = columnEdges(graph.nodes, column);
  const row = rows(graph, column);
  const boxes = new Map<string, Box>();
  for (const node of graph.nodes) {
    const c = column.get(node.id)!;
    boxes.set(node.id, {
      x: (left[c]! + right[c]!) / 2,
      y: row.get(node.lane)! * NODE.pitch,
      width: isPoint(node) ? NODE.point : NODE.width,
      height: isPoint(node) ? NODE.point : NODE.height,
      column: c,
    });
  }
  const ys = [...boxes.values()].map((box) => box.y);
  return {
    boxes,
    routes: routes(graph.edges, boxes, left, right),
    left: 0,
    right: right.at(-1) ?? 0,
    top: Math.min(0, ...extremes(ys, Math.min)) - NODE.height / 2,
    bottom: Math.max(0, ...extremes(ys, Math.max)) + NODE.height / 2,
  };
}

/** Math.min and Math.max take no 5,000 arguments on every engine. */
function extremes(values: number[], pick: (a: number, b: number) => number): number[] {
  return values.length === 0 ? [] : [values.reduce((a, b) => pick(a, b))];
}

function columns(graph: VisibleGraph): Map<string, number> {
  const ids = graph.nodes.map((node) => node.id);
  const incoming = new Map<string, string[]>();
  for (const { source, target } of graph.edges) {
    const sources = incoming.get(target);
    if (sources) sources.push(source);
    else incoming.set(target, [source]);
  }
  const column = new Map<string, number>();
  for (const id of topologicalOrder(ids, graph.edges)) {
    let rank = 0;
    for (const source of incoming.get(id) ?? []) rank = Math.max(rank, (column.get(source) ?? -1) + 1);
    column.set(id, rank);
  }
  return column;
}

/** Columns that hold only points are narrow. */
function columnEdges(nodes: readonly VisibleNode[], column: ReadonlyMap<string, number>) {
  const width: number[] = [];
  for (const node of nodes) {
    const c = column.get(node.id)!;
    width[c] = Math.max(width[c] ?? 0, isPoint(node) ? NODE.point : NODE.width);
  }
  const left: number[] = [];
  const right: number[] = [];
  let x = 0;
  for (let c = 0; c < width.length; c++) {
    left.push(x);
    right.push(x + (width[c] ?? 0));
    x += (width[c] ?? 0) + NODE.gap;
  }
  return { left, right };
}

// -- rows

interface Reach {
  /** First and last column in which the lane, with all lanes inside it, needs its rows. */
  from: number;
  to: number;
  /** Rows needed above and below its own. */
  above: number;
  below: number;
}

function rows(graph: VisibleGraph, column: ReadonlyMap<string, number>): Map<string, number> {
  const reach = ownReach(graph, column);
  const children = new Map<string, Lane[]>();
  for (const lane of graph.lanes) {
    if (lane.parent === null) continue;
    const siblings = children.get(lane.parent);
    if (siblings) siblings.push(lane);
    else children.set(lane.parent, [lane]);
  }
  const outermostFirst = byDepth(graph.lanes);
  const offset = new Map<string, number>();
  for (const lane of [...outermostFirst].reverse())
    pack(children.get(lane.id) ?? [], reach.get(lane.id)!, reach, offset);
  const row = new Map<string, number>();
  for (const lane of outermostFirst) {
    row.set(lane.id, lane.parent === null ? 0 : (row.get(lane.parent) ?? 0) + (offset.get(lane.id) ?? 0));
  }
  return row;
}

function byDepth(lanes: readonly Lane[]): Lane[] {
  const depth = new Map<string, number>();
  for (const lane of lanes) depth.set(lane.id, lane.parent === null ? 0 : (depth.get(lane.parent) ?? 0) + 1);
  return [...lanes].sort((a, b) => depth.get(a.id)! - depth.get(b.id)!);
}

function ownReach(graph: VisibleGraph, column: ReadonlyMap<string, number>): Map<string, Reach> {
  const laneOf = new Map(graph.nodes.map((node) => [node.id, node.lane]));
  const reach = new Map<string, Reach>();
  const extend = (lane: string, from: number, to: number): void => {
    const known = reach.get(lane);
    if (known === undefined) reach.set(lane, { from, to: Math.max(from, to), above: 0, below: 0 });
    else {
      known.from = Math.min(known.from, from);
      known.to = Math.max(known.to, to);
    }
  };
  for (const node of graph.nodes) extend(node.lane, column.get(node.id)!, column.get(node.id)!);
  for (const { source, target, kind } of graph.edges) {
    const from = column.get(source)!;
    const to = column.get(target)!;
    if (kind === "fork") extend(laneOf.get(target)!, Math.min(from + 1, to), to);
    else extend(laneOf.get(source)!, from, Math.max(from, to - 1));
  }
  for (const lane of graph.lanes) {
    if (!reach.has(lane.id)) {
      const parent = lane.parent === null ? undefined : reach.get(lane.parent);
      reach.set(lane.id, { from: parent?.from ?? 0, to: parent?.from ?? 0, above: 0, below: 0 });
    }
  }
  return reach;
}

/** Place the lanes of the children around their parent's row, as near as what stands there already lets them. */
function pack(
  children: readonly Lane[],
  own: Reach,
  reach: ReadonlyMap<string, Reach>,
  offset: Map<string, number>,
): void {
  const above: number[] = [];
  const below: number[] = [];
  const place = (child: Lane, sky: number[], side: 1 | -1): void => {
    const { from, to, above: up, below: down } = reach.get(child.id)!;
    const [near, far] = side === 1 ? [up, down] : [down, up];
    let height = 0;
    for (let c = from; c <= to; c++) height = Math.max(height, sky[c] ?? 0);
    offset.set(child.id, side * (height + 1 + near));
    for (let c = from; c <= to; c++) sky[c] = height + 1 + near + far;
    own.from = Math.min(own.from, from);
    own.to = Math.max(own.to, to);
  };
  let turn: 1 | -1 = 1;
  for (const group of groupsOf(children)) {
    if (group.length === 1) {
      place(group[0]!, turn === 1 ? below : above, turn);
      turn = turn === 1 ? -1 : 1;
      continue;
    }
    const half = Math.floor(group.length / 2);
    for (let i = half - 1; i >= 0; i--) place(group[i]!, above, -1);
    for (let i = half; i < group.length; i++) place(group[i]!, below, 1);
  }
  own.above = above.reduce((most, height) => Math.max(most, height ?? 0), 0);
  own.below = below.reduce((most, height) => Math.max(most, height ?? 0), 0);
}

function groupsOf(children: readonly Lane[]): Lane[][] {
  const groups = new Map<string, Lane[]>();
  for (const lane of children) {
    const group = groups.get(lane.group);
    if (group) group.push(lane);
    else groups.set(lane.group, [lane]);
  }
  return [...groups.values()];
}

// -- edges

function routes(
  edges: readonly VisibleEdge[],
  boxes: ReadonlyMap<string, Box>,
  left: readonly number[],
  right: readonly number[],
): Route[] {
  return edges.map((edge) => {
    const from = boxes.get(edge.source)!;
    const to = boxes.get(edge.target)!;
    // A fork turns at once into its branch's row; a join stays in its row until the last gap.
    const turn = edge.kind === "fork" ? from.column : Math.max(from.column, to.column - 1);
    return {
      edge,
      x1: from.x + from.width / 2,
      y1: from.y,
      x2: to.x - to.width / 2,
      y2: to.y,
      bend: Math.max(right[turn] ?? 0, from.x + from.width / 2),
      bendEnd: Math.max(left[turn + 1] ?? right[turn] ?? 0, right[turn] ?? 0),
    };
  });
}
