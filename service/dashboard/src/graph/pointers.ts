/** Mouse, pen, fingers and wheel over the graph: drag pans, wheel and pinch zoom, a tap selects. */

import type { Camera, Size } from "./camera";
import type { Minimap } from "./minimap";
import type { Focus } from "./paintNodes";
import type { Scene } from "./scene";

/** A pointer that moved less than this far was a tap. */
const TAP_PIXELS = 4;

/** What a person asks for with a pointer. */
export interface Wishes {
  select: (id: string | null) => void;
  hover: (id: string | null, x: number, y: number) => void;
}

/** What pointers move and look at: the graph on its canvas. */
export interface Pointed {
  readonly canvas: HTMLCanvasElement;
  readonly camera: Camera;
  readonly minimap: Minimap;
  readonly wishes: Wishes;
  readonly scene: Scene | null;
  readonly size: Size;
  readonly focus: Focus;
  nodeAt(x: number, y: number): string | null;
  setFocus(focus: Partial<Focus>): void;
  pan(dx: number, dy: number): void;
  take(): void;
  fit(): void;
  invalidate(): void;
}

export function attachPointers(graph: Pointed): () => void {
  const { canvas } = graph;
  const control = new AbortController();
  const { signal } = control;
  const down = new Map<number, { x: number; y: number }>();
  let travelled = 0;
  let onMinimap = false;

  const place = (event: MouseEvent): { x: number; y: number } => {
    const { left, top } = canvas.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  };
  const lookAt = (at: { x: number; y: number }): boolean => {
    const { scene, camera, size, minimap } = graph;
    const world = scene && minimap.at(at.x, at.y, scene, camera.seen(size), size);
    if (!world) return false;
    const { x, y } = camera.toScreen(world.x, world.y);
    graph.pan(size.width / 2 - x, size.height / 2 - y);
    return true;
  };

  canvas.addEventListener(
    "pointerdown",
    (event) => {
      canvas.setPointerCapture(event.pointerId);
      down.set(event.pointerId, place(event));
      travelled = 0;
      onMinimap = down.size === 1 && lookAt(place(event));
    },
    { signal },
  );

  canvas.addEventListener(
    "pointermove",
    (event) => {
      const now = place(event);
      const before = down.get(event.pointerId);
      if (!before) {
        const id = graph.nodeAt(now.x, now.y);
        canvas.style.cursor = id === null ? "grab" : "pointer";
        if (id !== graph.focus.hovered) graph.setFocus({ hovered: id });
        graph.wishes.hover(id, now.x, now.y);
        return;
      }
      down.set(event.pointerId, now);
      if (onMinimap) {
        lookAt(now);
        return;
      }
      travelled += Math.hypot(now.x - before.x, now.y - before.y);
      if (travelled < TAP_PIXELS) return;
      canvas.style.cursor = "grabbing";
      if (down.size === 2) pinch(graph, event.pointerId, before, now, down);
      else graph.pan(now.x - before.x, now.y - before.y);
    },
    { signal },
  );

  const up = (event: PointerEvent): void => {
    const isTap = down.delete(event.pointerId) && travelled < TAP_PIXELS && !onMinimap;
    canvas.style.cursor = "grab";
    const { x, y } = place(event);
    if (isTap && event.type === "pointerup") graph.wishes.select(graph.nodeAt(x, y));
  };
  canvas.addEventListener("pointerup", up, { signal });
  canvas.addEventListener("pointercancel", up, { signal });
  canvas.addEventListener(
    "pointerleave",
    () => {
      graph.setFocus({ hovered: null });
      graph.wishes.hover(null, 0, 0);
    },
    { signal },
  );

  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const { x, y } = place(event);
      graph.take();
      if (event.shiftKey) graph.camera.pan(-event.deltaY - event.deltaX, 0);
      else graph.camera.zoomAt(x, y, Math.exp(-event.deltaY * (event.ctrlKey ? 0.012 : 0.0018)));
      graph.invalidate();
    },
    { signal, passive: false },
  );
  canvas.addEventListener(
    "dblclick",
    (event) => {
      const { x, y } = place(event);
      if (graph.nodeAt(x, y) === null) graph.fit();
    },
    { signal },
  );
  return () => control.abort();
}

function pinch(
  graph: Pointed,
  moved: number,
  before: { x: number; y: number },
  now: { x: number; y: number },
  down: ReadonlyMap<number, { x: number; y: number }>,
): void {
  const other = [...down].find(([id]) => id !== moved)?.[1];
  if (!other) return;
  const apart = Math.hypot(before.x - other.x, before.y - other.y);
  graph.take();
  graph.camera.zoomAt(
    (now.x + other.x) / 2,
    (now.y + other.y) / 2,
    Math.hypot(now.x - other.x, now.y - other.y) / Math.max(1, apart),
  );
  graph.camera.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
  graph.invalidate();
}
