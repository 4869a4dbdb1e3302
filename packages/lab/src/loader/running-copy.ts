/** The packages of the laboratory that runs: a driver's import of one of them leads to this copy, wherever the driver lies. */

/** `@dmabuf-lab/core/driver` and so on; not packages of others in the same scope. */
const OWN_PACKAGE = /^@dmabuf-lab\/(core|drivers|heaps|uapi|lab)(\/|$)/;

/** Where a package of the laboratory lies. */
export type RunningModule = { readonly url: string } | { readonly problem: string };

/** @returns undefined when the specifier names no package of the laboratory */
export function runningModule(specifier: string): RunningModule | undefined {
  if (!OWN_PACKAGE.test(specifier)) return undefined;
  try {
    return { url: import.meta.resolve(specifier) };
  } catch (error) {
    const { code } = error as { readonly code?: unknown };
    const [scope, name, ...path] = specifier.split('/');
    if (code !== 'ERR_PACKAGE_PATH_NOT_EXPORTED') throw error;
    return { problem: `${scope}/${name} exports no "${['.', ...path].join('/')}"` };
  }
}

/** What a driver may use without installing it, where its own folder has no copy: the schemas of its parameters need it. */
const LENT = ['zod'];

/** @returns undefined when the package is not lent */
export function lentModule(specifier: string): string | undefined {
  const name = specifier.split('/')[0];
  return LENT.includes(name) ? import.meta.resolve(specifier) : undefined;
}
