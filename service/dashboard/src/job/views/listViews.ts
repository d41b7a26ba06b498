/** The views that are lists: one chunk with the list virtualiser, loaded behind the graph. */

export { Branches } from "./Branches";
export { Journal } from "./Journal";
export { Transcript } from "./Transcript";
export { Waterfall } from "./Waterfall";
