// Does what `leaves-things-open.mjs` does, and closes all of it.
import { share } from './leaves-things-open.mjs';

export function* main(process, kernel) {
  return yield* share(process, kernel, true);
}
