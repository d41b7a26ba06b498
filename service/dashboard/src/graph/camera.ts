/** What part of the graph is seen: screen = world × zoom + offset. Pure but for its own state. */

export interface Size {
  width: number;
  height: number;
}

export interface Bounds {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export interface View {
  x: number;
  y: number;
  zoom: number;
}

const CLOSEST = 2.5;
const FARTHEST = 0.004;

export class Camera implements View {
  x = 0;
  y = 0;
  zoom = 1;

  set(view: View): void {
    this.x = view.x;
    this.y = view.y;
    this.zoom = Math.min(CLOSEST, Math.max(FARTHEST, view.zoom));
  }

  toScreen(x: number, y: number): { x: number; y: number } {
    return { x: x * this.zoom + this.x, y: y * this.zoom + this.y };
  }

  toWorld(x: number, y: number): { x: number; y: number } {
    return { x: (x - this.x) / this.zoom, y: (y - this.y) / this.zoom };
  }

  pan(dx: number, dy: number): void {
    this.x += dx;
    this.y += dy;
  }

  /** Zoom by a factor, keeping the world under this point of the screen where it is. */
  zoomAt(x: number, y: number, factor: number): void {
    const zoom = Math.min(CLOSEST, Math.max(FARTHEST, this.zoom * factor));
    this.x = x - ((x - this.x) / this.zoom) * zoom;
    this.y = y - ((y - this.y) / this.zoom) * zoom;
    this.zoom = zoom;
  }

  /** The world's part that is on the screen. */
  seen(size: Size): Bounds {
    const { x: left, y: top } = this.toWorld(0, 0);
    const { x: right, y: bottom } = this.toWorld(size.width, size.height);
    return { left, right, top, bottom };
  }
}

/** The view that shows all of `bounds`, never larger than life. */
export function fitting(bounds: Bounds, size: Size, margin: number): View {
  const width = Math.max(1, bounds.right - bounds.left);
  const height = Math.max(1, bounds.bottom - bounds.top);
  const zoom = Math.min(1, (size.width - 2 * margin) / width, (size.height - 2 * margin) / height);
  return {
    zoom: Math.max(FARTHEST, zoom),
    x: size.width / 2 - ((bounds.left + bounds.right) / 2) * zoom,
    y: size.height / 2 - ((bounds.top + bounds.bottom) / 2) * zoom,
  };
}

/** Between two views, `t` from 0 to 1. */
export function between(a: View, b: View, t: number): View {
  const mix = (from: number, to: number): number => from + (to - from) * t;
  return { x: mix(a.x, b.x), y: mix(a.y, b.y), zoom: mix(a.zoom, b.zoom) };
}

export function ease(t: number): number {
  return t < 0.5 ? 4 * t ** 3 : 1 - (-2 * t + 2) ** 3 / 2;
}
