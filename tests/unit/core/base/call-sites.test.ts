import { CallSites } from '@dmabuf-lab/core/base';
import test from 'ava';

test('CallSites › in a program with stacks of its own form, names the line, and leaves that form', (t) => {
  const before = Error.prepareStackTrace;
  t.teardown(() => {
    Error.prepareStackTrace = before;
  });
  const own = (_: Error, sites: NodeJS.CallSite[]) => sites;
  Error.prepareStackTrace = own;
  t.regex(new CallSites('file:///nothing/').here() ?? '', /call-sites\.[jt]s:\d+$/);
  t.is(Error.prepareStackTrace, own);
});
