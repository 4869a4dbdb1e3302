/** The answer of a negotiation as sentences. */
import { formatList } from '../describe.js';
import { describeFact, describeValue } from './layout-facts.js';
import type { LayoutAgreed, LayoutConflict, LayoutResult, LayoutUnsatisfiable } from './layout-result.js';

/** Most repairs that the prose mentions. */
const MAX_REPAIRS = 4;

/** The prose of any answer. */
export function explainLayout(result: LayoutResult): string {
  return result.prose;
}

/** `XRGB8888 in LINEAR, 1920x1080: stride 7680 (a multiple of 768, because of B and C), 8294400 bytes, 1 buffer.` */
export function explainAgreed(agreed: Omit<LayoutAgreed, 'prose'>): string {
  const { format, modifier, widthPixels, heightPixels, planes, provenance, sizeBytes, buffers } = agreed;
  const stride = `stride ${planes[0].strideBytes}${strideReason(agreed)}`;
  const { binding } = provenance.sizeBytes;
  const size = `${sizeBytes} bytes${binding.length > 0 ? ` (shaped by ${formatList(binding)})` : ''}`;
  const pool = `${buffers} ${buffers === 1 ? 'buffer' : 'buffers'}`;
  const sentences = [`${format} in ${modifier}, ${widthPixels}x${heightPixels}: ${stride}, ${size}, ${pool}.`];
  const unmet = agreed.preferences.filter((preference) => !preference.met);
  if (unmet.length > 0) {
    const wishes = unmet.map(
      ({ device, value }) => `${device} would rather have strides that are multiples of ${value}`,
    );
    sentences.push(`${formatList(wishes)}; it would cost more padding than it is worth.`);
  }
  for (const { device, why } of agreed.leftOut) sentences.push(`${device} is left out: ${why}.`);
  for (const { message } of agreed.hazards) sentences.push(`Beware: ${message}.`);
  return sentences.join(' ');
}

function strideReason({ provenance, planes }: Omit<LayoutAgreed, 'prose'>): string {
  const { strideExact, strideAlignmentBytes, strideBytes } = provenance;
  if (strideExact !== undefined) return ` (the width exactly, because of ${formatList(strideExact.binding)})`;
  if (strideAlignmentBytes !== undefined && strideAlignmentBytes.value > 1) {
    const { value, binding } = strideAlignmentBytes;
    const steps = `${value}, because of ${formatList(binding)}`;
    return planes[0].strideBytes % value === 0 ? ` (a multiple of ${steps})` : '';
  }
  return strideBytes.binding.length > 0 ? ` (because of ${formatList(strideBytes.binding)})` : '';
}

/** `No layout suits: mali.strideAlignmentBytes 64 and rkisp1.strideExact cannot be met together: stride must …` */
export function explainUnsatisfiable(answer: Omit<LayoutUnsatisfiable, 'prose'>): string {
  const { conflicts, repairs, predicted, complete } = answer;
  const first = conflicts.length === 0 ? answer.why : explainConflict(conflicts[0]);
  const sentences = [`No layout suits: ${first}.`];
  const more = conflicts.length - 1;
  if (more > 0) {
    const count = complete ? `${more}` : `at least ${more}`;
    sentences.push(`There ${more === 1 ? 'is' : 'are'} ${count} further ${more === 1 ? 'conflict' : 'conflicts'}.`);
  }
  const text = predicted.text.replace(/\.$/, '');
  const answers = predicted.errno === null ? 'would succeed' : `would fail with ${predicted.errno}`;
  sentences.push(`Without a negotiation, ${predicted.call} of ${predicted.device} ${answers}: ${text}.`);
  if (repairs.length === 0) sentences.push('Nothing that was tried would help.');
  else {
    const listed = repairs.slice(0, MAX_REPAIRS).map((repair) => repair.change);
    const rest = repairs.length - listed.length;
    sentences.push(`What would help: ${listed.join('; or ')}${rest > 0 ? `; and ${rest} more` : ''}.`);
  }
  return sentences.join(' ');
}

/** `a.x 64 and b.y cannot be met together: why`. */
export function explainConflict({ facts, why }: LayoutConflict): string {
  const names = facts.map((fact) => {
    const name = describeFact(fact);
    return fact.value === true ? name : `${name} ${describeValue(fact.value)}`;
  });
  if (names.length === 0) return why;
  return `${formatList(names)} cannot be met${names.length > 1 ? ' together' : ''}: ${why}`;
}
