import { describe, expect, it } from "vitest";
import { Camera, fitting } from "../../src/graph/camera";

describe("the camera", () => {
  it("keeps the point under the pointer while it zooms", () => {
    const camera = new Camera();
    camera.set({ x: 30, y: -20, zoom: 0.5 });
    const before = camera.toWorld(200, 100);
    camera.zoomAt(200, 100, 1.7);
    const after = camera.toWorld(200, 100);
    expect(after.x).toBeCloseTo(before.x);
    expect(after.y).toBeCloseTo(before.y);
  });

  it("fits a graph into the middle, and small ones at their own size", () => {
    const size = { width: 800, height: 400 };
    expect(fitting({ left: 0, right: 100, top: -50, bottom: 50 }, size, 20)).toEqual({
      zoom: 1,
      x: 350,
      y: 200,
    });
    const { zoom, x } = fitting({ left: 0, right: 7600, top: -50, bottom: 50 }, size, 20);
    expect([zoom, x]).toEqual([0.1, 20]);
  });
});
