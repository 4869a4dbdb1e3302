/** The tests of one protocol: production holds, each mutant is caught, each rare path is taken. */
import test from 'ava';
import { describeFailure, isAlike, parseSchedule, replay } from '../explorer/index.js';
import type { Protocol } from './protocol.js';
import { searchProtocol, takenIn, triedOf } from './search.js';

export function testProtocol(protocol: Protocol): void {
  test(`${protocol.name}: holds in every schedule searched, and every rare path is among them`, (t) => {
    const { failure, neverTaken, results, steps, taken, unfinished } = searchProtocol(protocol);
    for (const result of results) t.log(triedOf(result));
    t.log(`${steps} steps`);
    t.log(takenIn(taken));
    t.is(failure && describeFailure(failure), undefined);
    t.deepEqual(neverTaken, []);
    t.deepEqual(unfinished, [], 'what is said to be complete is');
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
