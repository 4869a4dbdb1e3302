/** What a call of Linux answers, in words. */

/** @param errno null or `none` when the call succeeds all the same; a call `none` when nobody is asked */
export function outcomeText(call: string, errno: string | null): string {
  if (call === 'none') return 'no call fails';
  return errno === null || errno === 'none' ? `${call} succeeds` : `${call} fails with ${errno}`;
}
