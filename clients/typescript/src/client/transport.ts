/**
 * The Connect protocol over `fetch`, as much of it as there is need for: binary messages, one answer or a stream.
 *
 * A token signs the exact bytes of a request, so a request is bytes here, written once by whoever signs them. All that is
 * served is bounded while it is read, and every call has its deadline.
 */

import { concat, copied } from "../crypto/bytes.js";
import { source } from "../crypto/platform.js";
import { type MeldbrugError, NotReached, Unverified } from "./errors.js";
import { refusalAtEnd, refusalOf } from "./refusals.js";

/** How requests leave; `globalThis.fetch` unless another is given. */
export type Fetch = (input: string, init: RequestInit) => Promise<Response>;

/** Above every answer's own bounds; a server cannot make a client hold more. */
export const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
export const MAX_STREAMED_BYTES = 1024 * 1024;
/** A refusal is a sentence and some details. */
const MAX_REFUSAL_BYTES = 64 * 1024;

const UNARY = "application/proto";
const STREAM = "application/connect+proto";
const ENVELOPE_BYTES = 5;
const MESSAGE = 0;
const LAST = 2;

/** How a stream is held. */
export interface StreamOptions {
  /** Ends the stream. */
  readonly signal?: AbortSignal | undefined;
  /** How long nothing may come before the line counts as dead; as long as the stream lasts when absent. */
  readonly silentS?: number;
}

/** One request, written and signed. */
export interface Sent extends StreamOptions {
  /** `/package.Service/Method`. */
  readonly path: string;
  /** The message, without envelope. */
  readonly message: Uint8Array;
  /** What it carries beside. */
  readonly headers: Readonly<Record<string, string>>;
  /** How long it may take, answer included. */
  readonly timeoutS: number;
}

/** Sends requests to one place. */
export class Transport {
  readonly #base: string;
  readonly #fetch: Fetch;

  /** Sends nothing yet. `base` has no slash at its end. */
  constructor(base: string, fetch: Fetch) {
    this.#base = base;
    this.#fetch = fetch;
  }

  /**
   * Returns the bytes of the answer.
   *
   * @throws Refused - the server said no.
   * @throws Unverified - what came is no answer, or too large.
   * @throws NotReached - nobody answered in time.
   */
  async unary(sent: Sent): Promise<Uint8Array> {
    const deadline = new Deadline(sent.timeoutS);
    try {
      const response = await this.#send(sent, UNARY, sent.message, deadline);
      return await bounded(response, MAX_ANSWER_BYTES, deadline);
    } finally {
      deadline.end();
    }
  }

  /**
   * Yields the bytes of each message until the stream ends or the time is over.
   *
   * @throws Refused - the server said no, at once or at the end.
   * @throws Unverified - what came is no stream, or a message is too large.
   * @throws NotReached - the connection broke, was silent for too long, or was ended.
   */
  async *stream(sent: Sent): AsyncGenerator<Uint8Array, void, undefined> {
    const deadline = new Deadline(sent.timeoutS, sent.signal);
    try {
      deadline.expect(sent.silentS);
      const response = await this.#send(sent, STREAM, enveloped(sent.message), deadline);
      for await (const [flags, body] of envelopes(response, deadline)) {
        if (flags === LAST) {
          throwIf(refusalAtEnd(body));
          return;
        }
        if (flags !== MESSAGE) {
          throw new Unverified("stream");
        }
        deadline.expect(sent.silentS);
        yield body;
      }
      throw new NotReached("the stream broke");
    } finally {
      deadline.end();
    }
  }

  async #send(sent: Sent, type: string, body: Uint8Array, deadline: Deadline): Promise<Response> {
    const response = await deadline.holds(
      this.#fetch(this.#base + sent.path, {
        method: "POST",
        headers: {
          ...sent.headers,
          "content-type": type,
          "connect-protocol-version": "1",
          "connect-timeout-ms": String(Math.max(1, Math.floor(sent.timeoutS * 1000))),
        },
        body: source(body),
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        referrerPolicy: "no-referrer",
        signal: deadline.signal,
      }),
    );
    if (response.status !== 200) {
      throw refusalOf(response.status, await bounded(response, MAX_REFUSAL_BYTES, deadline));
    }
    if (response.headers.get("content-type") !== type) {
      throw new Unverified("answer");
    }
    return response;
  }
}

/** Returns a message as a stream carries it: a byte of flags and four of length in front. */
export function enveloped(message: Uint8Array): Uint8Array {
  const head = new Uint8Array(ENVELOPE_BYTES);
  new DataView(head.buffer).setUint32(1, message.length);
  return concat(head, message);
}

/** The moment by which a call is over, whatever the `fetch` that was passed in does about it. */
class Deadline {
  readonly #stop = new AbortController();
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #given: AbortSignal | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #failure: NotReached | undefined;
  #reject: (failure: NotReached) => void = () => undefined;

  /** Begins to run; `given` ends it earlier. */
  constructor(seconds: number, given?: AbortSignal) {
    this.#timer = setTimeout(this.#give, seconds * 1000);
    this.#given = given;
    given?.addEventListener("abort", this.#give);
    if (given?.aborted) {
      this.#give();
    }
  }

  /** Gives up unless something is expected anew, or ended, within so many seconds. */
  expect(seconds: number | undefined): void {
    clearTimeout(this.#silence);
    if (seconds !== undefined) {
      this.#silence = setTimeout(this.#give, seconds * 1000);
    }
  }

  readonly #give = (): void => {
    this.#failure ??= new NotReached("no answer in time");
    this.#reject(this.#failure);
    this.#stop.abort();
  };

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Returns what `answer` gives, before the deadline; one at a time. */
  async holds<T>(answer: Promise<T>): Promise<T> {
    try {
      // A race with one promise for the whole call would keep every answer until the call is over.
      return await new Promise<T>((resolve, reject) => {
        this.#reject = reject;
        if (this.#failure) {
          reject(this.#failure);
        }
        answer.then(resolve, reject);
      });
    } catch (error) {
      // A `fetch` fails with errors of its own, which differ by platform and may name addresses.
      throw error instanceof NotReached ? error : new NotReached("no answer");
    }
  }

  /** Ends the call; what is still on its way is given up. */
  end(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#silence);
    this.#given?.removeEventListener("abort", this.#give);
    this.#stop.abort();
  }
}

async function bounded(response: Response, maxBytes: number, deadline: Deadline): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of chunks(response, deadline)) {
    size += part.length;
    if (size > maxBytes) {
      throw new Unverified("size of the answer");
    }
    parts.push(part);
  }
  return concat(...parts);
}

async function* envelopes(
  response: Response,
  deadline: Deadline,
): AsyncGenerator<readonly [flags: number, body: Uint8Array], void, undefined> {
  let held: Uint8Array[] = [];
  let size = 0;
  let wanted = ENVELOPE_BYTES;
  for await (const part of chunks(response, deadline)) {
    held.push(part);
    size += part.length;
    if (size < wanted) {
      continue;
    }
    // Joined only when an envelope may be whole: a server that sends byte by byte costs no more than one that does not.
    const joined = concat(...held);
    let at = 0;
    let length = lengthAt(joined, at);
    while (length !== undefined && joined.length - at >= length) {
      yield [joined[at] ?? 0, copied(joined, at + ENVELOPE_BYTES, at + length)];
      at += length;
      length = lengthAt(joined, at);
    }
    held = [copied(joined, at)];
    size = joined.length - at;
    wanted = length ?? ENVELOPE_BYTES;
  }
}

/** Returns how long the envelope at a place is; undefined when it has not come far enough to say so. */
function lengthAt(joined: Uint8Array, at: number): number | undefined {
  if (joined.length - at < ENVELOPE_BYTES) {
    return undefined;
  }
  const size = new DataView(joined.buffer, joined.byteOffset + at).getUint32(1);
  if (size > MAX_STREAMED_BYTES) {
    throw new Unverified("size of a message");
  }
  return ENVELOPE_BYTES + size;
}

async function* chunks(response: Response, deadline: Deadline): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = response.body?.getReader();
  while (reader) {
    const { done, value } = await deadline.holds(reader.read());
    if (done) {
      return;
    }
    yield value;
  }
}

function throwIf(error: MeldbrugError | undefined): void {
  if (error) {
    throw error;
  }
}
