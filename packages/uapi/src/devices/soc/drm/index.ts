/** The GPU and the display of scenarios behind DRM nodes. */
export { addRenderNode, type RenderNodeOptions } from './render-node.js';
