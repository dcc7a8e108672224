/**
 * The work that a flooded server asks of callers whom it does not know: a number whose hash begins with zeros.
 *
 * Loaded when a server first asks. Solved in slices, so that a page stays alive; an app may solve in a worker instead.
 */

import { sha256 } from "@noble/hashes/sha2.js";

import { base64url, fromBase64url, utf8 } from "../crypto/bytes.js";
import type { Device } from "./device.js";
import { NotReached } from "./errors.js";

/** What is to be solved. */
export interface Puzzle {
  readonly challenge: Uint8Array;
  /** SHA-256 of the request's body as sent, a stream's envelope included. */
  readonly bodyHash: Uint8Array;
  /** How many zeros the hash begins with. */
  readonly bits: number;
}

/** Returns 8 bytes that solve a puzzle, or rejects with NotReached once so many seconds are over. */
export type Solver = (puzzle: Puzzle, withinS: number) => Promise<Uint8Array>;

/** Four million tries, a few seconds; a server cannot make a telephone burn. */
export const MAX_BITS = 22;
export const NONCE_BYTES = 8;
const MAX_CHALLENGE_CHARS = 512;
const LABEL = utf8("meldbrug/puzzle/v1\0");
/** Tries between two looks at the clock. */
const SLICE = 4096;

/**
 * Returns the puzzle that a refusal carries; undefined when it carries none that could be one.
 *
 * @throws NotReached - it would cost more than a device may be asked for.
 */
export function puzzleIn(metadata: ReadonlyMap<string, string>, bodyHash: Uint8Array): Puzzle | undefined {
  const text = metadata.get("challenge") ?? "";
  const challenge = text.length <= MAX_CHALLENGE_CHARS ? fromBase64url(text) : undefined;
  const written = metadata.get("bits") ?? "";
  if (!challenge?.length || !/^[0-9]{1,3}$/.test(written)) {
    return undefined;
  }
  const bits = Number(written);
  if (bits > MAX_BITS) {
    throw new NotReached("the server asks for too much work");
  }
  return { challenge, bodyHash, bits };
}

/** Returns the header that brings a solution along. */
export function solutionHeader(puzzle: Puzzle, nonce: Uint8Array): string {
  return `${base64url(puzzle.challenge)}.${base64url(nonce)}`;
}

/** Tells whether `nonce` solves the puzzle. */
export function solves(puzzle: Puzzle, nonce: Uint8Array): boolean {
  return nonce.length === NONCE_BYTES && hasZeros(begun(puzzle).update(nonce).digest(), puzzle.bits);
}

/**
 * Returns a solution.
 *
 * @param puzzle - What is to be solved.
 * @param device - Its clock and how it waits between slices.
 * @param withinS - How long to try.
 * @throws NotReached - the time was over before one was found.
 */
export async function solve(puzzle: Puzzle, device: Device, withinS: number): Promise<Uint8Array> {
  const untilS = device.elapsedS() + withinS;
  const start = begun(puzzle);
  const nonce = Uint8Array.from(device.random(NONCE_BYTES));
  const count = new DataView(nonce.buffer);
  for (let tries = 1; ; tries++) {
    count.setUint32(0, (count.getUint32(0) + 1) >>> 0);
    if (hasZeros(start.clone().update(nonce).digest(), puzzle.bits)) {
      return nonce;
    }
    if (tries % SLICE === 0) {
      await device.pause(0);
      if (device.elapsedS() >= untilS) {
        throw new NotReached("no time left for the server's puzzle");
      }
    }
  }
}

function begun(puzzle: Puzzle) {
  return sha256.create().update(LABEL).update(puzzle.challenge).update(puzzle.bodyHash);
}

function hasZeros(hash: Uint8Array, bits: number): boolean {
  const begin = new DataView(hash.buffer, hash.byteOffset).getUint32(0);
  return bits === 0 || begin >>> (32 - bits) === 0;
}
