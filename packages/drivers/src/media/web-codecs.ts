/** The optional native codec package, loaded when it is first needed. */

/** The module `@napi-rs/webcodecs`: the WebCodecs API over FFmpeg. */
export type WebCodecs = typeof import('@napi-rs/webcodecs');

export const WEB_CODECS_PACKAGE = '@napi-rs/webcodecs';

/** Gives the native codecs; tests put another in its place. */
export type WebCodecsLoader = () => Promise<WebCodecs>;

/**
 * Loads the native codecs.
 *
 * @throws Error naming the package, when it is not installed or has no binary for this machine
 */
export async function loadWebCodecs(): Promise<WebCodecs> {
  try {
    return await import('@napi-rs/webcodecs');
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n', 1)[0] : String(error);
    throw new Error(`the optional package ${WEB_CODECS_PACKAGE} is missing or does not load (${reason})`);
  }
}
