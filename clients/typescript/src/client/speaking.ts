/** What a reporter signs about the whole report: who handles it, who must never know, that it is withdrawn. */

import type { SecretKeys } from "../crypto/keys.js";
import { sign } from "../crypto/statements.js";
import type { Signed } from "../gen/common/v1/common_pb.js";
import type { Person } from "./circle.js";
import type { ServerClock } from "./device.js";

/** The reporter's signature on statements. */
export class Voice {
  readonly #keys: SecretKeys;
  readonly #installation: string;
  readonly #clock: ServerClock;

  /** Signs with `keys`; sequences come from `clock`. */
  constructor(keys: SecretKeys, installation: string, clock: ServerClock) {
    this.#keys = keys;
    this.#installation = installation;
    this.#clock = clock;
  }

  /** Returns a signed choice of handlers. */
  intake(incident: string, production: string, people: readonly Person[]): Promise<Signed> {
    const handlers = people.map(({ kid, appointment: { participation, appointment } }) => ({
      kid,
      participation,
      appointment,
    }));
    return sign("intake", { ...this.#own(), incident, production, handlers }, this.#keys);
  }

  /** Returns a signed exclusion. */
  exclusion(
    incident: string,
    subjects: readonly string[],
    organisations: readonly string[],
  ): Promise<Signed> {
    const named = { subjects: [...subjects], organisations: [...organisations] };
    return sign("exclusion", { ...this.#own(), incident, ...named }, this.#keys);
  }

  /** Returns a signed withdrawal of a report, a consent, or a part of one. */
  withdrawal(
    incident: string,
    notice = "",
    readerKids: readonly string[] = [],
    sections: readonly string[] = [],
  ): Promise<Signed> {
    const taken = { notice, readerKids: [...readerKids], sections: [...sections] };
    return sign("withdrawal", { ...this.#own(), incident, ...taken }, this.#keys);
  }

  /** Returns a signed no to a notice. */
  refusal(notice: string): Promise<Signed> {
    return sign("refusal", { ...this.#own(), notice }, this.#keys);
  }

  #own() {
    const sequence = this.#clock.sequence();
    return { installation: this.#installation, reporterKid: this.#keys.kid, sequence };
  }
}
