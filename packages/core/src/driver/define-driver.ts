/** What a driver module exports. */
import type { z } from 'zod';
import type { Task } from '../base/index.js';
import type { DriverContext, InputPort, OutputPort } from './driver-port.js';
import type { FrameFormat } from './frame-format.js';

/** Declares an input. */
export interface InputDeclaration {
  readonly direction: 'in';
}
/** Declares an output. */
export interface OutputDeclaration {
  readonly direction: 'out';
  /** It has buffers only where it is linked: the driver works without. */
  readonly isOptional?: boolean;
}
export type PortDeclarations = Readonly<Record<string, InputDeclaration | OutputDeclaration>>;

export const input = (): InputDeclaration => ({ direction: 'in' });
export const output = (options: Omit<OutputDeclaration, 'direction'> = {}): OutputDeclaration => ({
  direction: 'out',
  ...options,
});

/** The ports of a driver as its generator sees them; one that the scenario links to nothing is undefined. */
export type Ports<Declared extends PortDeclarations> = {
  readonly [Name in keyof Declared]: Declared[Name] extends InputDeclaration
    ? InputPort | undefined
    : OutputPort | undefined;
};

/** What a driver says of a pipeline before it starts. */
export interface DriverPlan {
  /** What each output carries. */
  readonly outputs: Readonly<Record<string, FrameFormat>>;
  /** Outputs that pass frames on from an input instead of owning a pool: output to input. */
  readonly forwards?: Readonly<Record<string, string>>;
  /** Why it cannot work this way, one sentence each; empty when it can. */
  readonly problems: readonly string[];
}

export interface Driver<
  Schema extends z.ZodType = z.ZodType,
  Declared extends PortDeclarations = PortDeclarations,
  State = unknown,
> {
  readonly name: string;
  /** Schema of its parameters; the scenario's are checked by it before anything starts. */
  readonly parameters: Schema;
  readonly ports: Declared;
  /** Completes the parameters before the run, e.g. from a file's header. @throws Error with a message for the user */
  prepare?(parameters: z.output<Schema>): Promise<z.output<Schema>>;
  /** Says what the outputs carry, given what the inputs do. Pure. */
  plan(parameters: z.output<Schema>, inputs: Readonly<Record<string, FrameFormat>>): DriverPlan;
  /** What takes long and is no part of the run: opening files, starting an encoder. Before model time begins. */
  setup?(context: DriverContext<z.output<Schema>, Declared>): Task<State>;
  /** The driver itself; ends when its input ends, or, for a source, when the run does. */
  run(context: DriverContext<z.output<Schema>, Declared>, state: State): Task<void>;
}

/** Types a driver: its parameters and ports are inferred. */
export function defineDriver<Schema extends z.ZodType, Declared extends PortDeclarations, State = undefined>(
  driver: Driver<Schema, Declared, State>,
): Driver<Schema, Declared, State> {
  return driver;
}
