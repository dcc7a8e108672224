/**
 * What a handler's device remembers of each incident: the reporter's key, and the newest intake it saw.
 *
 * A server that exchanges the reporter of an incident, or goes back to an earlier intake, is caught.
 */

import { Unverified } from "./errors.js";

/** The reporter of an incident and the sequence of its newest intake. */
export interface Pin {
  readonly reporterKid: string;
  readonly intakeSequence: bigint;
}

/** Where pins outlive the page: a database of the browser, a file. */
export interface PinStore {
  /**
   * Reads the pin of an incident, lets `decide` say what follows it, and writes that; nobody else changes the pin
   * meanwhile. What `decide` throws is thrown on, and nothing is written.
   */
  exchange(incident: string, decide: (known: Pin | undefined) => Pin): Promise<void>;
}

/** Remembers in a store, or for as long as it lives when there is none. */
export class Pins {
  readonly #store: PinStore | undefined;
  readonly #seen = new Map<string, Pin>();

  /** Reads nothing yet. */
  constructor(store?: PinStore) {
    this.#store = store;
  }

  /**
   * Remembers an incident the first time, and holds it against the memory from then on.
   *
   * @throws Unverified - another reporter, or an older intake than before, here or elsewhere.
   */
  async check(incident: string, reporterKid: string, intakeSequence: bigint): Promise<void> {
    const pin = { reporterKid, intakeSequence };
    const decide = (known: Pin | undefined): Pin => {
      // What is remembered here counts too: a store that was emptied forgets nothing for this page.
      requireAfter(this.#seen.get(incident), pin);
      requireAfter(known, pin);
      this.#seen.set(incident, pin);
      return pin;
    };
    if (this.#store) {
      await this.#store.exchange(incident, decide);
    } else {
      decide(undefined);
    }
  }
}

function requireAfter(known: Pin | undefined, pin: Pin): void {
  if (known && known.reporterKid !== pin.reporterKid) {
    throw new Unverified("the reporter of the incident changed");
  }
  if (known && pin.intakeSequence < known.intakeSequence) {
    throw new Unverified("an older intake than was seen before");
  }
}
