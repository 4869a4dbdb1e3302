/** The two ways to store 4:2:0 chroma: U and V planes apart (I420), or byte pairs (NV12). */

/**
 * Interleaves a U and a V plane into U,V pairs.
 *
 * @param u and
 * @param v of the same length; they may not overlap `uv`
 * @param uv twice as long
 */
export function interleaveChroma(u: Uint8Array, v: Uint8Array, uv: Uint8Array): void {
  for (let i = 0; i < u.length; i++) {
    uv[2 * i] = u[i];
    uv[2 * i + 1] = v[i];
  }
}

/** Parts U,V pairs into the planes; as `interleaveChroma`, the other way. */
export function splitChroma(uv: Uint8Array, u: Uint8Array, v: Uint8Array): void {
  for (let i = 0; i < uv.length / 2; i++) {
    u[i] = uv[2 * i];
    v[i] = uv[2 * i + 1];
  }
}

/**
 * Turns a tightly packed I420 picture into NV12, in place.
 *
 * @param picture width x height x 3/2 bytes
 * @param lumaBytes width x height
 */
export function i420ToNv12(picture: Uint8Array, lumaBytes: number): void {
  const planes = picture.slice(lumaBytes);
  const half = planes.length / 2;
  interleaveChroma(planes.subarray(0, half), planes.subarray(half), picture.subarray(lumaBytes));
}
