import { ErrnoError, isErrno } from '@dmabuf-lab/core/base';
import test from 'ava';

test('isErrno, by the code alone, takes none for one that is a property of every object', (t) => {
  t.true(isErrno(new ErrnoError('EBUSY', 'op', 'text')));
  t.true(isErrno({ code: 'EBUSY' }, 'EBUSY'));
  t.false(isErrno({ code: 'EBUSY' }, 'EIO'));
  for (const code of ['toString', 'constructor', '__proto__', 'EWHAT']) t.false(isErrno({ code }), code);
});
