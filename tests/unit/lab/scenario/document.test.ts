import { builtInDrivers } from '@dmabuf-lab/drivers';
import { formatProblem, parseScenario } from '@dmabuf-lab/lab';
import test from 'ava';
import { changed, GOOD } from './scenario-text.js';

test('ScenarioDocument.problemAt: points at the deepest node of the path that the file has', (t) => {
  const { document } = parseScenario(GOOD, 'x.yaml');
  const at = (...path: (string | number)[]): unknown[] => {
    const { line, column, value } = document.problemAt(path, 'm');
    return [line, column, value];
  };
  t.deepEqual(at(), [1, 1, undefined]);
  t.deepEqual(at('devices', 'gpu'), [15, 3, undefined]);
  t.deepEqual(at('devices', 'gpu', 'driver'), [16, 5, 'gpu']);
  t.deepEqual(at('devices', 'gpu', 'parameters', 'service'), [15, 3, undefined]);
  t.deepEqual(at('links', 1), [26, 5, undefined]);
  t.deepEqual(at('links', 1, 'to'), [26, 22, 'display.in']);
  t.deepEqual(at('links', 9, 'to'), [24, 1, undefined]);
  t.deepEqual(at('pools', 'camera.out', 'buffers'), [23, 17, 4]);
});

/** The messages about the parameters of a GPU, which stand from line 17 on. */
function gpuComplaints(parameters: string): string[] {
  const text = changed('    driver: gpu', `    driver: gpu\n    parameters:\n${parameters}`);
  const { scenario, document } = parseScenario(text, 'x.yaml');
  const given = scenario.devices.gpu.parameters;
  const checked = document.validateWith(builtInDrivers.gpu.driver.parameters, given, ['devices', 'gpu', 'parameters']);
  return 'problems' in checked ? checked.problems.map(formatProblem).sort() : [];
}

test('ScenarioDocument.validateWith: problems with parameters point into the file', (t) => {
  t.deepEqual(gpuComplaints('      servise: 6ms\n      servers: 9'), [
    'x.yaml:18:7: devices.gpu.parameters.servise: unknown key "servise", did you mean "service"?',
    'x.yaml:19:7: devices.gpu.parameters.servers: expected at most 8, got 9',
  ]);
});

test('ScenarioDocument.validateWith: of several forms, the one that was meant is explained', (t) => {
  const at = 'x.yaml:18:7: devices.gpu.parameters.service';
  const forms =
    'expected a duration such as 4ms, {bytesPerSecond, perSegment?, overhead?}, {uniform: [low, high]} or {exponential: mean}';
  t.deepEqual(gpuComplaints('      service: 6'), [`${at}: ${forms}, got 6`]);
  t.deepEqual(gpuComplaints('      service: 6 parsecs'), [
    `${at}: expected a duration with a unit, such as '6ms' or '0.5s', got "6 parsecs"`,
  ]);
  t.deepEqual(gpuComplaints('      service: { bytesPerSecnd: 1e9 }'), [
    'x.yaml:18:18: devices.gpu.parameters.service.bytesPerSecnd: unknown key "bytesPerSecnd", did you mean "bytesPerSecond"?',
  ]);
  t.deepEqual(gpuComplaints('      service: { exponential: 6 }'), [
    "x.yaml:18:18: devices.gpu.parameters.service.exponential: expected a duration with a unit: ns, us, ms, s, min or h, such as '6ms', got 6",
  ]);
});

test('ScenarioDocument.validateWith: gives the value with defaults, which need not stand in the file', (t) => {
  const { document } = parseScenario(GOOD, 'x.yaml');
  const checked = document.validateWith(builtInDrivers.gpu.driver.parameters, { servers: 2 }, [
    'devices',
    'gpu',
    'parameters',
  ]);
  t.like('value' in checked && checked.value, { servers: 2, mode: 'render' });
});
