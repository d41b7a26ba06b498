/** Where an arrow key goes from a node of the graph. */

import type { Scene } from "../../graph/scene";

export type Direction = "left" | "right" | "up" | "down";

/** The nearest node in that direction: along an edge to the sides, in the same column up and down. */
export function neighbour(scene: Scene, from: string | null, direction: Direction): string | null {
  const { boxes } = scene.layout;
  const here = from === null ? undefined : boxes.get(from);
  if (from === null || !here) return scene.visible.nodes[0]?.id ?? null;
  let candidates: string[];
  if (direction === "left")
    candidates = scene.visible.edges.filter((edge) => edge.target === from).map((edge) => edge.source);
  else if (direction === "right")
    candidates = scene.visible.edges.filter((edge) => edge.source === from).map((edge) => edge.target);
  else {
    const sign = direction === "up" ? -1 : 1;
    candidates = [...boxes]
      .filter(([, box]) => box.column === here.column && (box.y - here.y) * sign > 0)
      .map(([id]) => id);
  }
  const apart = (id: string): number =>
    Math.abs(boxes.get(id)!.y - here.y) - (scene.cards.get(id)!.critical ? 0.5 : 0);
  return candidates.reduce<string | null>(
    (best, id) => (best === null || apart(id) < apart(best) ? id : best),
    null,
  );
}
