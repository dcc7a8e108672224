/** What anyone may look up, checked against the pinned root. */

import { equal } from "../crypto/bytes.js";
import type { PublicKeys } from "../crypto/keys.js";
import { termsDigest } from "../crypto/preview.js";
import type { Language } from "../gen/common/v1/common_pb.js";
import { PublicService } from "../gen/directory/v1/directory_service_pb.js";
import { TermsService } from "../gen/disclosure/v1/disclosure_service_pb.js";
import { Circle } from "./circle.js";
import type { Connection } from "./connection.js";
import { dateOf, insist, keysOf, part } from "./served.js";

/** The handling terms in one language. */
export interface Terms {
  readonly version: string;
  readonly text: string;
  readonly digest: Uint8Array;
}

/** Looks up without a key. */
export class PublicClient {
  readonly #connection: Connection;

  /** Uses `connection`. */
  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Returns the secretariat root's keys, and corrects the clock by the server's.
   *
   * @throws Unverified - this is another installation than the one that is pinned.
   */
  async root(): Promise<PublicKeys> {
    const answer = await this.#connection.call(PublicService.method.getInstallation, {});
    const keys = await keysOf(answer.root, this.#connection.installation);
    insist(answer.installation === this.#connection.installation, "installation");
    this.#connection.clock.correct(dateOf(part(answer.serverTime, "time")).getTime());
    return keys;
  }

  /**
   * Returns the circle of the production with this code.
   *
   * @throws NotPermitted - the code is unknown or was replaced.
   */
  async circle(code: string): Promise<Circle> {
    const answer = await this.#connection.call(PublicService.method.getProductionByCode, { code });
    return new Circle(part(answer.circle, "circle"), this.#connection.installation);
  }

  /** Returns the independent point's circle; no code is needed. */
  async standingEntry(): Promise<Circle> {
    const answer = await this.#connection.call(PublicService.method.getStandingEntry, {});
    return new Circle(part(answer.circle, "circle"), this.#connection.installation);
  }

  /**
   * Returns the current handling terms.
   *
   * @throws Unverified - the text is not the one that its digest names.
   */
  async terms(language: Language): Promise<Terms> {
    const { version, text, digest } = await this.#connection.call(TermsService.method.getTerms, { language });
    insist(equal(await termsDigest(text), digest), "terms");
    return { version, text, digest };
  }
}
