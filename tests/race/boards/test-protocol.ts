/** The tests of one protocol: production holds, each mutant is caught, each rare path is taken. */
import test from 'ava';
import { describeFailure, isAlike, parseSchedule, replay } from '../explorer/index.js';
import type { Protocol } from './protocol.js';
import { boundOf, searchProtocol } from './search.js';

export function testProtocol(protocol: Protocol): void {
  test(`${protocol.name}: holds in every schedule searched, and every rare path is among them`, (t) => {
    const { failure, neverTaken, results, steps } = searchProtocol(protocol);
    for (const { search, schedules, exhausted } of results) {
      t.log(`${boundOf(search)}: ${schedules} schedules${exhausted ? ', which are all' : ''}`);
    }
    t.log(`${steps} steps`);
    t.is(failure && describeFailure(failure), undefined);
    t.deepEqual(neverTaken, []);
  });

  for (const mutant of protocol.mutants) {
    test(`${protocol.name}: an actor that ${mutant}, is caught, by a short schedule that can be replayed`, (t) => {
      const { failure, schedules } = searchProtocol(protocol, mutant);
      if (failure === undefined) {
        t.fail(`not caught in ${schedules} schedules`);
        return;
      }
      t.log(`after ${schedules} schedules: ${describeFailure(failure)}`);
      t.true(isAlike(failure, replay(protocol.board(mutant), failure.schedule)), 'the short schedule fails alike');
      t.true(parseSchedule(failure.schedule).length <= parseSchedule(failure.found).length);
    });
  }
}
