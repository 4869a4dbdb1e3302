import type { CallHandler, Journal, Task } from '@dmabuf-lab/core/base';
import { BROKEN_MESSAGE, GuardedServices, type QuarantineLimits } from '@dmabuf-lab/core/runtime';
import test from 'ava';

const MS = 1_000_000;

/** A service `double` that takes numbers, on a clock set by hand. */
class Guarded {
  nowNs = 0;
  served = 0;
  readonly guard: GuardedServices;
  readonly #services: Record<string, CallHandler>;

  constructor(limits?: QuarantineLimits, journal?: Journal) {
    const check = (_method: string, args: unknown) =>
      typeof args === 'number' ? undefined : { field: 'args', expected: 'a number', got: typeof args };
    this.guard = new GuardedServices({ now: () => this.nowNs }, check, limits, journal);
    const serve = (): number => {
      this.served += 1;
      return this.served;
    };
    this.#services = this.guard.wrap({
      *double(args: number): Task<number> {
        serve();
        return args * 2;
      },
    });
  }

  call(args: unknown, from = 'camera', method = 'double'): unknown {
    const result = this.#services[method](args, from).next();
    return result.value;
  }

  /** The code with which a call is refused. */
  refusal(args: unknown, from = 'camera', method = 'double'): string {
    try {
      this.call(args, from, method);
    } catch (error) {
      return (error as { code: string }).code;
    }
    return 'none';
  }
}

test('GuardedServices, a broken message, is EPROTO naming sender, field and what was expected, and reaches no service', (t) => {
  const guarded = new Guarded();
  t.is(guarded.call(21), 42);
  t.throws(() => guarded.call('21'), {
    code: 'EPROTO',
    message: 'Cannot double for camera: args: expected a number, got string',
  } as object);
  t.is(guarded.served, 1);
  t.deepEqual(guarded.guard.records, [
    { actor: 'camera', count: 1, firstNs: 0, reason: 'double: args: expected a number, got string', unread: 0 },
  ]);
});

test('GuardedServices, the eighth broken message within a second, quarantines its sender and nobody else', (t) => {
  const guarded = new Guarded();
  for (let i = 0; i < 7; i += 1) {
    guarded.nowNs = i * 100 * MS;
    t.is(guarded.refusal('x'), 'EPROTO');
    t.is(guarded.call(1), 2, 'what is in order is served');
  }
  guarded.nowNs = 1_000 * MS;
  guarded.refusal('x');
  t.throws(() => guarded.call(1), { code: 'EPROTO', message: /quarantined after 8 broken messages/ } as object);
  t.is(guarded.refusal({}), 'EPROTO');
  t.is(guarded.call(1, 'gpu'), 2);
  const { count, firstNs, quarantinedNs, unread } = guarded.guard.records[0];
  t.deepEqual(
    { count, firstNs, quarantinedNs, unread },
    { count: 8, firstNs: 0, quarantinedNs: 1_000 * MS, unread: 2 },
  );
});

test('GuardedServices, eight broken messages over more than a second, do not quarantine', (t) => {
  const guarded = new Guarded();
  for (let i = 0; i < 80; i += 1) {
    guarded.nowNs = Math.ceil((i * 1_001 * MS) / 7);
    t.is(guarded.refusal('x'), 'EPROTO');
    t.is(guarded.call(1), 2);
  }
  t.is(guarded.guard.records[0].count, 80);
});

test('GuardedServices, a limit of one, quarantines at the first', (t) => {
  const guarded = new Guarded({ messages: 1, windowNs: 0 });
  guarded.refusal('x');
  t.is(guarded.refusal(1), 'EPROTO');
  t.is(guarded.guard.records.length, 1);
});

test('GuardedServices, calls of unknown services and what is no call, count too', (t) => {
  const guarded = new Guarded();
  const call = { method: 'triple', reason: 'calls triple of exporter, which has no such service' };
  t.is(guarded.refusal(call, 'gpu', BROKEN_MESSAGE), 'EOPNOTSUPP');
  t.is(guarded.refusal({ reason: 'a message that is no object' }, 'gpu', BROKEN_MESSAGE), 'EPROTO');
  t.is(guarded.refusal(undefined, 'gpu', BROKEN_MESSAGE), 'EPROTO');
  t.is(guarded.guard.records[0].count, 3);
  for (let i = 0; i < 5; i += 1) guarded.refusal(call, 'gpu', BROKEN_MESSAGE);
  t.is(guarded.refusal(call, 'gpu', BROKEN_MESSAGE), 'EPROTO', 'unread');
  t.is(guarded.guard.records.length, 1, 'one record, however many messages');
});

test('GuardedServices, the next life of its actor, has the records of the one before, and listens to everybody', (t) => {
  const restored = new Map<string, unknown>();
  const journal: Journal = { restored, set: (key, value) => restored.set(key, structuredClone(value)) };
  const before = new Guarded(undefined, journal);
  for (let i = 0; i < 9; i += 1) before.refusal('x');
  const after = new Guarded(undefined, journal);
  const reason = 'double: args: expected a number, got string';
  t.deepEqual(after.guard.records, [{ actor: 'camera', count: 8, firstNs: 0, reason, unread: 0 }]);
  t.is(after.call(1), 2);
  after.refusal('x');
  t.is(after.guard.records[0].count, 9);
});
