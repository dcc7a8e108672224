/** The credential of every call: a JWS that its caller signs for one method and one body, dead in a minute. */

import { base64url, concat, equal, fromBase64url, textOf, utf8 } from "./bytes.js";
import {
  KeyMalformed,
  TokenAudience,
  TokenBody,
  TokenMalformed,
  TokenSignature,
  TokenStale,
} from "./errors.js";
import {
  isKid,
  PublicKeys,
  type SecretKeys,
  SIGNATURE_BYTES,
  SIGNING_BYTES,
  verifySignature,
} from "./keys.js";
import { sha256 } from "./platform.js";

export const TOKEN_LIFETIME_S = 60;
/** How far ahead of the server's clock a token may be issued; who is further off is told the time. */
export const CLOCK_SKEW_S = 5;
export const MAX_TOKEN_CHARS = 4096;

const AUDIENCE = /^[a-z2-7]{52}\/[A-Za-z0-9_.]{1,128}\/[A-Za-z0-9_]{1,64}$/;
const METHOD = /^\/[A-Za-z0-9_.]{1,128}\/[A-Za-z0-9_]{1,64}$/;
const HEADER = /^\{"alg":"Ed25519","kid":"([a-z2-7]{52})","typ":"meldbrug"\}$/;
const CLAIMS = ["aud,bh,iat,exp", "aud,bh,iat,exp,pk"];
const BODY_HASH_BYTES = 32;

interface Payload {
  readonly aud: string;
  readonly bh: string;
  readonly iat: number;
  readonly exp: number;
  readonly pk?: string;
}

/** A well-formed token; nothing in it is proven before `check`. */
export interface Token {
  /** The key it names. */
  readonly kid: string;
  /** Installation and method it is for. */
  readonly aud: string;
  /** SHA-256 of the request message. */
  readonly bh: Uint8Array;
  /** Issued at, in seconds since 1970. */
  readonly iat: number;
  /** Expires at, in seconds since 1970. */
  readonly exp: number;
  /** Both public keys of a caller whom nobody enrolled; their fingerprint is `kid`. */
  readonly embedded: PublicKeys | undefined;
  /** The bytes that are signed. */
  readonly signingInput: Uint8Array;
  /** Ed25519, 64 bytes. */
  readonly signature: Uint8Array;
}

/**
 * Returns what a token for `fullMethod` (`/package.Service/Method`) is addressed to.
 *
 * @throws RangeError - the installation id or the method has another form.
 */
export function audience(installation: string, fullMethod: string): string {
  if (!isKid(installation) || !METHOD.test(fullMethod)) {
    throw new RangeError("an audience is an installation id and a full gRPC method");
  }
  return installation + fullMethod;
}

/** Returns the SHA-256 of a request message: uncompressed protobuf without an envelope. */
export function bodyHash(body: Uint8Array): Promise<Uint8Array> {
  return sha256(body);
}

/**
 * Returns a token for one call, without the word `Bearer`.
 *
 * @param keys - The caller's.
 * @param to - From `audience()`.
 * @param bodySha256 - From `bodyHash()`.
 * @param now - The caller's clock, corrected by what the server said.
 * @param embedKeys - Whether the server has no other way to know the keys: reporters and newcomers.
 * @param lifetimeS - 1 to 60.
 * @throws RangeError - an argument is out of bounds.
 */
export async function mint(
  keys: SecretKeys,
  to: string,
  bodySha256: Uint8Array,
  now: Date,
  embedKeys: boolean,
  lifetimeS: number = TOKEN_LIFETIME_S,
): Promise<string> {
  const lives = Number.isInteger(lifetimeS) && lifetimeS >= 1 && lifetimeS <= TOKEN_LIFETIME_S;
  if (!lives || bodySha256.length !== BODY_HASH_BYTES || !AUDIENCE.test(to)) {
    throw new RangeError("lifetime, body hash or audience out of bounds");
  }
  const iat = secondsOf(now);
  const payload = {
    aud: to,
    bh: base64url(bodySha256),
    iat,
    exp: iat + lifetimeS,
    ...(embedKeys && { pk: base64url(concat(keys.public.signing, keys.public.sealing)) }),
  };
  const input = `${base64url(utf8(header(keys.kid)))}.${base64url(utf8(JSON.stringify(payload)))}`;
  return `${input}.${base64url(await keys.sign(utf8(input)))}`;
}

/**
 * Returns the parts of a token UNPROVEN; embedded keys do match the `kid`.
 *
 * Header and payload must be byte for byte what `mint` would write: each token has one form, and none that two
 * parsers read differently.
 *
 * @throws TokenMalformed - any other form.
 */
export async function parse(token: string): Promise<Token> {
  if (token.length > MAX_TOKEN_CHARS || !isAscii(token)) {
    throw new TokenMalformed("size");
  }
  const [head, body, last, ...more] = token.split(".");
  if (head === undefined || body === undefined || last === undefined || more.length > 0) {
    throw new TokenMalformed("parts");
  }
  const [headBytes, bodyBytes, signature] = [decoded(head), decoded(body), decoded(last)];
  const kid = readHeader(headBytes);
  const payload = readPayload(bodyBytes);
  if (signature.length !== SIGNATURE_BYTES) {
    throw new TokenMalformed("signature-length");
  }
  return {
    kid,
    aud: payload.aud,
    bh: decoded(payload.bh),
    iat: payload.iat,
    exp: payload.exp,
    embedded: await embeddedIn(payload, kid),
    signingInput: utf8(`${head}.${body}`),
    signature,
  };
}

/**
 * Returns when the holder of `signing` made the token for this method, this body and this minute.
 *
 * The caller has seen to it that `signing` is the key that `token.kid` names.
 *
 * @throws TokenSignature - not signed by this key.
 * @throws TokenAudience - for another method or installation.
 * @throws TokenBody - for another body.
 * @throws TokenStale - expired, or from the future.
 */
export async function check(
  token: Token,
  signing: Uint8Array,
  to: string,
  bodySha256: Uint8Array,
  now: Date,
): Promise<void> {
  if (!(await verifySignature(signing, token.signature, token.signingInput))) {
    throw new TokenSignature("signature");
  }
  if (token.aud !== to) {
    throw new TokenAudience("audience");
  }
  if (!equal(token.bh, bodySha256)) {
    throw new TokenBody("body");
  }
  const seconds = secondsOf(now);
  if (token.iat > seconds + CLOCK_SKEW_S) {
    throw new TokenStale("from-the-future");
  }
  if (seconds >= token.exp) {
    throw new TokenStale("expired");
  }
}

function header(kid: string): string {
  return `{"alg":"Ed25519","kid":"${kid}","typ":"meldbrug"}`;
}

function readHeader(bytes: Uint8Array): string {
  const kid = HEADER.exec(textOf(bytes) ?? "")?.[1];
  if (kid === undefined) {
    throw new TokenMalformed("header");
  }
  return kid;
}

function readPayload(bytes: Uint8Array): Payload {
  const text = textOf(bytes) ?? "";
  const read = jsonIn(text);
  if (!hasClaims(read) || JSON.stringify(read) !== text) {
    throw new TokenMalformed("payload");
  }
  const lifetime = read.exp - read.iat;
  if (lifetime <= 0 || lifetime > TOKEN_LIFETIME_S) {
    throw new TokenMalformed("lifetime");
  }
  return read;
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new TokenMalformed("payload");
  }
}

function hasClaims(read: unknown): read is Payload {
  if (typeof read !== "object" || read === null || !CLAIMS.includes(Object.keys(read).join(","))) {
    return false;
  }
  const { aud, bh, iat, exp, pk = "" } = read as Record<string, unknown>;
  if (typeof aud !== "string" || typeof bh !== "string" || typeof pk !== "string") {
    return false;
  }
  return AUDIENCE.test(aud) && decoded(bh).length === BODY_HASH_BYTES && isTime(iat) && isTime(exp);
}

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

async function embeddedIn(payload: Payload, kid: string): Promise<PublicKeys | undefined> {
  if (payload.pk === undefined) {
    return undefined;
  }
  const both = decoded(payload.pk);
  const keys = await embeddedKeys(both);
  if (keys.kid !== kid) {
    throw new TokenMalformed("embedded-kid");
  }
  return keys;
}

async function embeddedKeys(both: Uint8Array): Promise<PublicKeys> {
  try {
    return await PublicKeys.of(both.subarray(0, SIGNING_BYTES), both.subarray(SIGNING_BYTES));
  } catch (error) {
    if (error instanceof KeyMalformed) {
      throw new TokenMalformed("embedded-keys");
    }
    throw error;
  }
}

/** Returns the bytes of canonical base64url without padding; stray bits and characters are refused. */
function decoded(text: string): Uint8Array {
  const data = fromBase64url(text);
  if (!data) {
    throw new TokenMalformed("base64");
  }
  return data;
}

function isAscii(text: string): boolean {
  return [...text].every((character) => character.charCodeAt(0) < 128);
}

function secondsOf(now: Date): number {
  return Math.floor(now.getTime() / 1000);
}
