/** A camera file that cannot be used: an operating error, told in one line. */
export class MediaError extends Error {
  override readonly name = 'MediaError';
  /** Tells this error apart once it has crossed to another thread, where its class is lost. */
  readonly code = 'EMEDIA';

  /**
   * @param path the file, as the user gave it
   * @param reason what is wrong and, where there is one, the remedy
   */
  constructor(
    readonly path: string,
    readonly reason: string,
  ) {
    super(`Cannot open camera file ${path}: ${reason}`);
  }
}
