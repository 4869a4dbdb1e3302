/** The GPU and the display of scenarios behind DRM nodes. */
export { displayMode } from './display-mode.js';
export { addDisplayNode, type DisplayNodeOptions } from './display-node.js';
export { addRenderNode, type RenderNodeOptions } from './render-node.js';
