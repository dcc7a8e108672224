/** The device the client runs on: its clock, corrected by the server's, its randomness, and how it waits. */

import { base32, type RandomBytes, randomBytes } from "../crypto/bytes.js";
import { CLOCK_SKEW_S } from "../crypto/tokens.js";

/** What the client asks of the device; passed in, so that a test has its own. */
export interface Device {
  /** Returns the device's time. */
  now(): Date;
  /** Returns seconds since some moment, never going back; for measuring waits. */
  elapsedS(): number;
  /** Returns bytes that nobody can guess. */
  random: RandomBytes;
  /** Returns after so many seconds. */
  pause(seconds: number): Promise<void>;
}

/** The device itself. */
export const DEVICE: Device = {
  now: () => new Date(),
  elapsedS: () => performance.now() / 1000,
  random: randomBytes,
  pause: (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000)),
};

/** Returns 128 random bits as 26 characters. */
export function newId(random: RandomBytes): string {
  return base32(random(16));
}

/** Returns a UUIDv4. */
export function newRequestId(random: RandomBytes): string {
  const bytes = Uint8Array.from(random(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** The local clock, corrected by what the server said; and strictly rising sequences from it. */
export class ServerClock {
  readonly #device: Device;
  #offsetMs = 0;
  #last = 0;
  #agreed: { readonly momentMs: number; readonly elapsedS: number } | undefined;

  /** Starts without correction. */
  constructor(device: Device = DEVICE) {
    this.#device = device;
  }

  /** Returns the corrected time. */
  now(): Date {
    return new Date(this.#device.now().getTime() + this.#offsetMs);
  }

  /** Whether the server took this clock's time, and the device's clock was not set since. */
  get isAgreed(): boolean {
    if (!this.#agreed) {
      return false;
    }
    const movedS = (this.#device.now().getTime() - this.#agreed.momentMs) / 1000;
    const passedS = this.#device.elapsedS() - this.#agreed.elapsedS;
    return Math.abs(movedS - passedS) < CLOCK_SKEW_S;
  }

  /** Remembers that the server takes this clock's time now. */
  agree(): void {
    this.#agreed = { momentMs: this.#device.now().getTime(), elapsedS: this.#device.elapsedS() };
  }

  /** Takes the server's time for now. */
  correct(serverTimeMs: number): void {
    this.#offsetMs = serverTimeMs - this.#device.now().getTime();
    // What was signed further ahead than any token is taken was refused, and so would be what follows it.
    this.#last = Math.min(this.#last, serverTimeMs + CLOCK_SKEW_S * 1000);
    this.agree();
  }

  /** Returns the corrected time in milliseconds, strictly above what was returned before. */
  sequence(): bigint {
    this.#last = Math.max(this.#last + 1, Math.floor(this.now().getTime()));
    return BigInt(this.#last);
  }
}
