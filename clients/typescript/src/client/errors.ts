/**
 * What a client throws: a refusal of the server, or something it served that does not verify.
 *
 *     MeldbrugError
 *     ├── Refused            the server said no; `reason` says why
 *     │   ├── NotPermitted   not permitted, or it does not exist
 *     │   ├── Unavailable    nothing happened, or nobody knows; come back later
 *     │   └── Stale          the resource changed since it was read
 *     ├── Unverified         what was served does not verify: nothing of it may be shown or sealed to
 *     │   └── DoesNotOpen    its author signed it, but it does not open for these keys
 *     ├── NotReached         no answer within the deadline
 *     └── KeyFileError       a key file cannot be used
 */

/** The root of everything that this package throws on purpose, beside `CryptoError`. */
export class MeldbrugError extends Error {}

/** Something the server gave out does not verify. `what` names the check, never content. */
export class Unverified extends MeldbrugError {
  readonly what: string;

  /** Keeps the name of the check that failed. */
  constructor(what: string) {
    super(`does not verify: ${what}`);
    this.what = what;
  }
}

/** A section is as its author signed it, but the wrap or the content does not open for these keys. */
export class DoesNotOpen extends Unverified {
  /** Says nothing of the content. */
  constructor() {
    super("content");
  }
}

/** No server answered within the deadline; a command may or may not have had its effect: repeat it. */
export class NotReached extends MeldbrugError {}

/** What a server says when it refuses. */
export interface Refusal {
  /** Name of the gRPC code. */
  readonly code: string;
  /** Name of the `ErrorReason`; empty when the server gave none. */
  readonly reason: string;
  /** One sentence, in English. */
  readonly message: string;
  /** What belongs to the reason. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Names of malformed fields with their descriptions. */
  readonly fields: readonly (readonly [name: string, description: string])[];
  /** When to come back; absent when coming back does not help. */
  readonly retryAfterS?: number | undefined;
}

/** The server refused. */
export class Refused extends MeldbrugError implements Refusal {
  readonly code: string;
  readonly reason: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly fields: readonly (readonly [name: string, description: string])[];
  readonly retryAfterS: number | undefined;

  /** Keeps what the server said. */
  constructor(said: Refusal) {
    super(said.message);
    this.code = said.code;
    this.reason = said.reason;
    this.metadata = said.metadata;
    this.fields = said.fields;
    this.retryAfterS = said.retryAfterS;
  }
}

/** Not permitted, or it does not exist: nothing tells which. */
export class NotPermitted extends Refused {}

/** The service, its database or its policy engine did not answer in time. */
export class Unavailable extends Refused {}

/** The etag is not the latest: read again, look, repeat. */
export class Stale extends Refused {}

/** Why a key file cannot be used. */
export type KeyFileReason = "passphrase-needed" | "passphrase" | "passkey" | "damaged";

/** A key file that cannot be used; `reason` says why. */
export class KeyFileError extends MeldbrugError {
  readonly reason: KeyFileReason;

  /** Keeps the reason beside the sentence. */
  constructor(reason: KeyFileReason, sentence: string) {
    super(sentence);
    this.reason = reason;
  }
}
