/**
 * Calls to an installation: tokens over the exact bytes sent, deadlines, and retries where they are safe.
 *
 * Every command carries a `requestId`, so that repeating the same bytes has one effect; the token is made anew for each
 * attempt. A clock that runs off is corrected once by the server's own time, then trusted.
 */

import {
  create,
  type DescMessage,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";

import type { SecretKeys } from "../crypto/keys.js";
import { sha256 } from "../crypto/platform.js";
import { holdsTimes } from "../crypto/statements.js";
import { audience, bodyHash, mint } from "../crypto/tokens.js";
import { baseOf } from "./address.js";
import { DEVICE, type Device, newId, newRequestId, ServerClock } from "./device.js";
import { NotReached, Refused, Unverified } from "./errors.js";
import { pathOf } from "./names.js";
import type { Solver } from "./puzzle.js";
import { enveloped, type Fetch, type Sent, type StreamOptions, Transport } from "./transport.js";

export const DEADLINE_S = 10;
export const WITHIN_S = 30;
export const ATTEMPTS = 5;
/** More than one, since a solution may come too late; more often a server would only make the device work. */
export const MAX_PUZZLES = 3;
const LEAST_S = 0.001;
const MAX_DOUBLINGS = 16;
/** Milliseconds since 1970, up to the year 5138: more digits are no time. */
const TIME_MS = /^[0-9]{1,14}$/;

/** Whose key signs the tokens; a self-certifying key (reporter, newcomer) brings its public keys along. */
export interface Credentials {
  readonly keys: SecretKeys;
  readonly selfCertifying?: boolean;
}

/** How a call is made. */
export interface CallOptions {
  /** Whose key signs; absent for what anyone may call. */
  readonly credentials?: Credentials;
  /** For all attempts together. */
  readonly withinS?: number;
  /** Repeat too when the server is full; for reports. */
  readonly repeatWhenExhausted?: boolean;
}

/** What a connection is made of. */
export interface ConnectionOptions {
  /** Where the installation's edge is: `https://` and a host, with a path or without. */
  readonly base: string;
  /** The fingerprint of the secretariat root, from the user's own configuration. */
  readonly installation: string;
  /** How requests leave. */
  readonly fetch?: Fetch;
  /** Time, randomness, waiting. */
  readonly device?: Device;
  /** The clock to correct; shared by clients of one device. */
  readonly clock?: ServerClock;
  /** Solves puzzles elsewhere, in a worker for instance. */
  readonly solver?: Solver;
  /** Whether another machine may be called without TLS: for a network that encrypts by itself. */
  readonly plaintext?: boolean;
  /** How long to wait before the second attempt, and at most; spread, and doubled each time. */
  readonly backoffS?: readonly [first: number, most: number];
}

/** Calls to the services of one installation. */
export class Connection {
  readonly installation: string;
  readonly device: Device;
  readonly clock: ServerClock;
  readonly #transport: Transport;
  readonly #solver: Solver | undefined;
  readonly #backoffS: readonly [first: number, most: number];

  /**
   * Sends nothing yet.
   *
   * @throws MeldbrugError - `base` is no address, or one without TLS on another machine.
   */
  constructor(options: ConnectionOptions) {
    this.installation = options.installation;
    this.device = options.device ?? DEVICE;
    this.clock = options.clock ?? new ServerClock(this.device);
    this.#transport = new Transport(
      baseOf(options.base, options.plaintext ?? false),
      options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    );
    this.#solver = options.solver;
    this.#backoffS = options.backoffS ?? [0.2, 5];
  }

  /** Returns 128 random bits as 26 characters. */
  newId(): string {
    return newId(this.device.random);
  }

  /** Returns a UUIDv4 for a command. */
  newRequestId(): string {
    return newRequestId(this.device.random);
  }

  /**
   * Calls `method` until it is answered, repeating the same bytes where nothing can go wrong twice.
   *
   * @throws Refused - the server said no.
   * @throws Unverified - the answer is no such message, or holds a time of no calendar.
   * @throws NotReached - nobody answered in time.
   */
  async call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions = {},
  ): Promise<MessageShape<O>> {
    const message = written(method.input, request);
    const untilS = this.device.elapsedS() + (options.withinS ?? WITHIN_S);
    const tries = new Tries(untilS, options.repeatWhenExhausted ?? false);
    for (;;) {
      try {
        const sent = await this.#sent(method, message, options.credentials, tries);
        const answer = await this.#transport.unary(sent);
        if (options.credentials) {
          this.clock.agree();
        }
        return read(method.output, answer);
      } catch (error) {
        await this.#goOn(error, tries, message);
      }
    }
  }

  /**
   * Yields what the server streams until it ends or `withinS` is over.
   *
   * @throws Refused - the server said no.
   * @throws Unverified - what came is no such message, or holds a time of no calendar.
   * @throws NotReached - the connection broke, was silent for too long, or was ended.
   */
  async *stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    credentials: Credentials,
    withinS: number,
    options: StreamOptions = {},
  ): AsyncGenerator<MessageShape<O>, void, undefined> {
    const message = written(method.input, request);
    const tries = new Tries(this.device.elapsedS() + withinS, false);
    for (;;) {
      try {
        const sent = await this.#sent(method, message, credentials, tries, withinS);
        for await (const answer of this.#transport.stream({ ...sent, ...options })) {
          tries.hasAnswered = true;
          yield read(method.output, answer);
        }
        return;
      } catch (error) {
        this.#corrects(error);
        if (tries.hasAnswered || !(await this.#solves(error, tries, enveloped(message)))) {
          throw error;
        }
      }
    }
  }

  /** Returns how long to wait after so many attempts; spread, so that clients do not come back at once. */
  backoffS(attempt: number): number {
    const [first, most] = this.#backoffS;
    const doubled = first * 2 ** Math.min(attempt, MAX_DOUBLINGS);
    return Math.min(most, doubled) * (0.5 + (this.device.random(1)[0] ?? 0) / 512);
  }

  async #sent(
    method: DescMethodUnary | DescMethodServerStreaming,
    message: Uint8Array,
    credentials: Credentials | undefined,
    tries: Tries,
    atMostS: number = DEADLINE_S,
  ): Promise<Sent> {
    const path = pathOf(method);
    const headers: Record<string, string> = { ...tries.solution };
    tries.solution = {};
    if (credentials) {
      const { keys, selfCertifying = false } = credentials;
      const to = audience(this.installation, path);
      const token = await mint(keys, to, await bodyHash(message), this.clock.now(), selfCertifying);
      headers["authorization"] = `Bearer ${token}`;
    }
    const leftS = tries.untilS - this.device.elapsedS();
    return { path, message, headers, timeoutS: Math.max(LEAST_S, Math.min(atMostS, leftS)) };
  }

  /** Returns when the call is to be made again; throws the error when it is not. */
  async #goOn(error: unknown, tries: Tries, message: Uint8Array): Promise<void> {
    if (!tries.isCorrected && this.#corrects(error)) {
      tries.isCorrected = true;
      return;
    }
    if (await this.#solves(error, tries, message)) {
      return;
    }
    tries.attempt += 1;
    const waitS = this.#waitS(error, tries);
    const isPatient = tries.isPatient || tries.attempt < ATTEMPTS;
    if (waitS === undefined || !isPatient || this.device.elapsedS() + waitS >= tries.untilS) {
      throw error;
    }
    await this.device.pause(waitS);
  }

  /** Returns how long to wait before repeating; undefined when repeating does not help. */
  #waitS(error: unknown, tries: Tries): number | undefined {
    const backoff = this.backoffS(tries.attempt);
    if (error instanceof NotReached) {
      return backoff;
    }
    const isFull = error instanceof Refused && error.code === "RESOURCE_EXHAUSTED" && tries.isPatient;
    if (error instanceof Refused && (error.code === "UNAVAILABLE" || isFull)) {
      return Math.max(error.retryAfterS ?? 0, backoff);
    }
    return undefined;
  }

  #corrects(error: unknown): boolean {
    if (!(error instanceof Refused) || error.reason !== "TOKEN_STALE") {
      return false;
    }
    const serverTime = error.metadata.get("serverTimeMs") ?? "";
    if (!TIME_MS.test(serverTime)) {
      return false;
    }
    this.clock.correct(Number(serverTime));
    return true;
  }

  /** Solves the puzzle that the server set, if it did: the next attempt carries the solution. */
  async #solves(error: unknown, tries: Tries, body: Uint8Array): Promise<boolean> {
    const isAsked = error instanceof Refused && error.reason === "PUZZLE_REQUIRED";
    if (!isAsked || tries.puzzles >= MAX_PUZZLES) {
      return false;
    }
    const { puzzleIn, solutionHeader, solve } = await import("./puzzle.js");
    const puzzle = puzzleIn(error.metadata, await sha256(body));
    if (!puzzle) {
      return false;
    }
    tries.puzzles += 1;
    const solver: Solver = this.#solver ?? ((set, withinS) => solve(set, this.device, withinS));
    const nonce = await solver(puzzle, tries.untilS - this.device.elapsedS());
    tries.solution = { "meldbrug-puzzle": solutionHeader(puzzle, nonce) };
    return true;
  }
}

/** How far a call has come. */
class Tries {
  readonly untilS: number;
  readonly isPatient: boolean;
  attempt = 0;
  puzzles = 0;
  isCorrected = false;
  hasAnswered = false;
  solution: Readonly<Record<string, string>> = {};

  constructor(untilS: number, isPatient: boolean) {
    this.untilS = untilS;
    this.isPatient = isPatient;
  }
}

function written<I extends DescMessage>(schema: I, request: MessageInitShape<I>): Uint8Array {
  return toBinary(schema, create(schema, request));
}

/** Returns an answer whose times all are moments of a calendar. */
function read<O extends DescMessage>(schema: O, answer: Uint8Array): MessageShape<O> {
  const found = parsed(schema, answer);
  if (!holdsTimes(schema, found)) {
    throw new Unverified("time");
  }
  return found;
}

function parsed<O extends DescMessage>(schema: O, answer: Uint8Array): MessageShape<O> {
  try {
    return fromBinary(schema, answer);
  } catch {
    throw new Unverified("answer");
  }
}
