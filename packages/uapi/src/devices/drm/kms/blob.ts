/** Property blobs: bytes with an id. Source: struct drm_property_blob, drivers/gpu/drm/drm_property.c, v6.12. */
import { DRM_MODE_OBJECT } from '../../../abi/drm-mode.js';
import type { ModeObjects } from './mode-objects.js';

export class PropertyBlob {
  readonly id: number;
  #references = 1;

  constructor(
    private readonly objects: ModeObjects,
    readonly bytes: Uint8Array,
  ) {
    this.id = objects.add(DRM_MODE_OBJECT.BLOB, this);
  }

  hold(): this {
    this.#references += 1;
    return this;
  }

  /** Its id is free once nobody holds it. Source: drm_property_blob_put. */
  drop(): void {
    this.#references -= 1;
    if (this.#references === 0) this.objects.remove(this.id);
  }
}
