/** What a driver module exports. */
import type { z } from 'zod';
import type { Task } from '../base/index.js';
import type { DriverMemory } from './driver-memory.js';
import type { DriverContext, InputPort, OutputPort } from './driver-port.js';
import type { Fourcc, FrameFormat } from './frame-format.js';

/** Declares an input. */
export interface InputDeclaration<IsOptional extends boolean = boolean> {
  readonly direction: 'in';
  /** The driver works without: its port may be linked to nothing. */
  readonly isOptional: IsOptional;
  /** What it takes; absent = its `plan` decides. */
  readonly formats?: readonly Fourcc[];
}
/** Declares an output. */
export interface OutputDeclaration<IsOptional extends boolean = boolean> {
  readonly direction: 'out';
  /** It has buffers only where it is linked: the driver works without. */
  readonly isOptional: IsOptional;
}
export type PortDeclarations = Readonly<Record<string, InputDeclaration | OutputDeclaration>>;

/** Options of `input`. */
export interface InputOptions<IsOptional extends boolean = boolean> {
  readonly isOptional?: IsOptional;
  readonly formats?: readonly Fourcc[];
}
/** Options of `output`. */
export interface OutputOptions<IsOptional extends boolean = boolean> {
  readonly isOptional?: IsOptional;
}

/** Where frames arrive: `input()`, `input({ formats: ['NV12'] })`, `input({ isOptional: true })`. */
export function input<const IsOptional extends boolean = false>(
  options: InputOptions<IsOptional> = {},
): InputDeclaration<NoInfer<IsOptional>> {
  const { isOptional = false as IsOptional, formats } = options;
  return { direction: 'in', isOptional, ...(formats && { formats }) };
}

/** Where frames leave: `output()`, `output({ isOptional: true })`. */
export function output<const IsOptional extends boolean = false>(
  options: OutputOptions<IsOptional> = {},
): OutputDeclaration<NoInfer<IsOptional>> {
  return { direction: 'out', isOptional: options.isOptional ?? (false as IsOptional) };
}

/** A port, or undefined where it may be linked to nothing. */
type Linked<Declared, Port> = Declared extends { readonly isOptional: false } ? Port : Port | undefined;

/** What the generator of a driver sees of a port. */
type PortOf<Declared> = Declared extends InputDeclaration
  ? Linked<Declared, InputPort>
  : Declared extends OutputDeclaration
    ? Linked<Declared, OutputPort>
    : never;

/** The ports of a driver as its generator sees them; an optional one that the scenario links to nothing is undefined. */
export type Ports<Declared extends PortDeclarations> = {
  readonly [Name in keyof Declared]: PortOf<Declared[Name]>;
};

/** The formats that arrive, by input. */
export type InputFormats<Declared extends PortDeclarations> = {
  readonly [Name in keyof Declared as Declared[Name] extends InputDeclaration ? Name : never]: Linked<
    Declared[Name],
    FrameFormat
  >;
};

/** Names of the inputs, and of the outputs. */
type InputNames<Declared extends PortDeclarations> = string extends keyof Declared
  ? string
  : keyof InputFormats<Declared> & string;
type OutputNames<Declared extends PortDeclarations> = string extends keyof Declared
  ? string
  : Exclude<keyof Declared, InputNames<Declared>> & string;

/** What a driver says of a pipeline before it starts. */
export interface DriverPlan<Declared extends PortDeclarations = PortDeclarations> {
  /** What each output carries. Of all outputs, unless there are problems. */
  readonly outputs: { readonly [Name in OutputNames<Declared>]?: FrameFormat };
  /** Outputs that pass frames on from an input instead of owning a pool: output to input. */
  readonly forwards?: { readonly [Name in OutputNames<Declared>]?: InputNames<Declared> };
  /** Why it cannot work this way, one sentence each; absent or empty when it can. */
  readonly problems?: readonly string[];
}

/** A driver: its parameters, its ports, and the generator that is its work. Made by `defineDriver`. */
export interface Driver<
  Schema extends z.ZodType = z.ZodType,
  Declared extends PortDeclarations = PortDeclarations,
  State = unknown,
> {
  readonly name: string;
  /** Schema of its parameters; the scenario's are checked by it before anything starts. */
  readonly parameters: Schema;
  readonly ports: Declared;
  /** Memory of its own, which it exports buffers from; absent = it has none. */
  readonly memory?: DriverMemory<z.output<Schema>>;
  /** How its device imports, unless the scenario says otherwise; absent = `static`. */
  readonly importer?: 'static' | 'dynamic';
  /** Completes the parameters before the run, e.g. from a file's header. @throws Error with a message for the user */
  prepare?(parameters: z.output<Schema>): Promise<z.output<Schema>>;
  /** Says what the outputs carry, given what the inputs do. Pure. Not asked while a required input is linked to nothing. */
  plan(parameters: z.output<Schema>, inputs: InputFormats<NoInfer<Declared>>): DriverPlan<NoInfer<Declared>>;
  /** What takes long and is no part of the run: opening files, starting an encoder. Before model time begins. */
  setup?(context: DriverContext<z.output<Schema>, NoInfer<Declared>>): Task<State>;
  /** The driver itself; ends when its input ends, or, for a source, when the run does. */
  run(context: DriverContext<z.output<Schema>, NoInfer<Declared>>, state: NoInfer<State>): Task<void>;
  /**
   * Of a dynamic importer: a buffer moves, or was to. What the device keeps of its addresses, such as entries of a page table,
   * is void for the next job; one that works on it has it until it ends. Called before the device maps it again; must not wait.
   *
   * Source: dma_buf_attach_ops.move_notify, include/linux/dma-buf.h, v6.12. Differs: it comes before the next use, not at
   * the move, since the exporter runs elsewhere (a doorbell word).
   *
   * @param bufferNumber as of `Frame.bufferNumber`
   * @param state what `setup` has returned, where such things are kept
   */
  moveNotify?(
    context: DriverContext<z.output<Schema>, NoInfer<Declared>>,
    bufferNumber: number,
    state: NoInfer<State>,
  ): void;
}

/**
 * Any driver, for those who run them: its parameters are what its own schema has let pass, its state is what its own `setup`
 * has returned.
 */
export interface AnyDriver {
  readonly name: string;
  readonly parameters: z.ZodType;
  readonly ports: PortDeclarations;
  readonly memory?: DriverMemory<never>;
  readonly importer?: 'static' | 'dynamic';
  prepare?(parameters: never): Promise<unknown>;
  plan(parameters: never, inputs: never): DriverPlan;
  setup?(context: never): Task<unknown>;
  run(context: never, state: never): Task<void>;
  moveNotify?(context: never, bufferNumber: number, state: never): void;
}

/** Types a driver: its parameters and ports are inferred. */
export function defineDriver<Schema extends z.ZodType, Declared extends PortDeclarations, State = undefined>(
  driver: Driver<Schema, Declared, State>,
): Driver<Schema, Declared, State> {
  return driver;
}
