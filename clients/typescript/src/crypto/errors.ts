/**
 * What the crypto library refuses, and under which reason.
 *
 *     CryptoError
 *     ├── KeyMalformed          a public or secret key is not of the one accepted form
 *     ├── SectionInvalid        content or context cannot be sealed as given
 *     ├── StatementMalformed    bytes are not exactly one valid statement of the kind
 *     ├── StatementSignature    the signature is not the signer's over these bytes
 *     ├── StatementForeign      the statement names another signer
 *     ├── TokenMalformed · TokenStale · TokenAudience · TokenBody · TokenSignature
 *     ├── DigestMismatch · CommitmentMismatch · AuthorSignature · WrapBroken · SectionBroken
 *     ├── EndorsementBroken · AppointmentBroken
 *     └── ReceiptError
 *         ├── WordCount · UnknownWord · ChecksumMismatch
 */

/** Something that was received, or is to be sent, is not what it claims to be. */
export class CryptoError extends Error {
  /** Name of an `ErrorReason` without its prefix. */
  readonly reason: string = "FIELD_INVALID";
  /** A fixed slug that says which rule failed; never content, a name or a key. */
  readonly detail: string;

  /** Keeps `detail` as the whole message. */
  constructor(detail: string) {
    super(detail);
    this.detail = detail;
  }
}

/** A key has the wrong length, is not canonical, or lies in a small subgroup. */
export class KeyMalformed extends CryptoError {}

/** Content is too large, or a context cannot be written down canonically. */
export class SectionInvalid extends CryptoError {}

/** The bytes are not exactly one valid statement of the kind. */
export class StatementMalformed extends CryptoError {
  override readonly reason = "STATEMENT_MALFORMED";
}

/** The signature does not verify over the bytes received. */
export class StatementSignature extends CryptoError {
  override readonly reason = "STATEMENT_SIGNATURE";
}

/** The statement names another signer than the key that verifies it. */
export class StatementForeign extends CryptoError {
  override readonly reason = "STATEMENT_FOREIGN";
}

/** The token is not of the one accepted form. */
export class TokenMalformed extends CryptoError {
  override readonly reason = "TOKEN_MALFORMED";
}

/** The token is too old, from the future, or lives too long. */
export class TokenStale extends CryptoError {
  override readonly reason = "TOKEN_STALE";
}

/** The token is for another method or installation. */
export class TokenAudience extends CryptoError {
  override readonly reason = "TOKEN_AUDIENCE";
}

/** The token is for another request body. */
export class TokenBody extends CryptoError {
  override readonly reason = "TOKEN_BODY";
}

/** The token's signature does not verify. */
export class TokenSignature extends CryptoError {
  override readonly reason = "TOKEN_SIGNATURE";
}

/** A ciphertext is not the one its digest names. */
export class DigestMismatch extends CryptoError {
  override readonly reason = "DIGEST_MISMATCH";
}

/** A content key is not the one its commitment names. */
export class CommitmentMismatch extends CryptoError {
  override readonly reason = "COMMITMENT_MISMATCH";
}

/** A section was not signed by this author for this place and reporter. */
export class AuthorSignature extends CryptoError {
  override readonly reason = "AUTHOR_SIGNATURE";
}

/** A wrap does not open for this reader, section, grant and purposes. */
export class WrapBroken extends CryptoError {
  override readonly reason = "WRAP_MISMATCH";
}

/** A ciphertext does not open in this place under this key. */
export class SectionBroken extends CryptoError {
  override readonly reason = "SECTION_MISMATCH";
}

/** A chain does not lead from the secretariat root to the subject's key. */
export class EndorsementBroken extends CryptoError {
  override readonly reason = "ENDORSEMENT_BROKEN";
}

/** An appointment is not an admin's of the organisation, or is for another key or place. */
export class AppointmentBroken extends CryptoError {
  override readonly reason = "APPOINTMENT_BROKEN";
}

/** A receipt cannot be read. */
export class ReceiptError extends CryptoError {}

/** A receipt has another number of words than twelve. */
export class WordCount extends ReceiptError {
  readonly count: number;

  /** Keeps how many words were given. */
  constructor(count: number) {
    super("word-count");
    this.count = count;
  }
}

/**
 * A word is not in the list of the receipt's language.
 *
 * The word and its neighbour are for the person at the keyboard; they are part of a secret and stay out of the message
 * and of what a console shows, so that no log can pick them up.
 */
export class UnknownWord extends ReceiptError {
  readonly #word: string;
  readonly #nearest: string;
  /** The place of the word, counted from 1. */
  readonly position: number;

  /** Keeps the word as given, its place, and the nearest word of the list. */
  constructor(word: string, position: number, nearest: string) {
    super("unknown-word");
    this.#word = word;
    this.#nearest = nearest;
    this.position = position;
  }

  /** The word as given. */
  get word(): string {
    return this.#word;
  }

  /** The nearest word of the list. */
  get nearest(): string {
    return this.#nearest;
  }
}

/** Every word is in the list, but one of them is not right; which one cannot be known. */
export class ChecksumMismatch extends ReceiptError {
  /** Has nothing to add. */
  constructor() {
    super("checksum");
  }
}
