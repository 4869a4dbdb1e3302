// What the kernel counts in 64 bits is bigint, and what refers to itself has no end.
export function* main() {
  const twice = [1];
  const result = { point: 2n ** 63n, twice, again: twice };
  result.self = result;
  return result;
}
