/** A member's client: one key, and what its holder may do as handler, reader, admin or secretariat. */

import type { SecretKeys } from "../crypto/keys.js";
import { Administering } from "./administering.js";
import type { Connection } from "./connection.js";
import { Handling } from "./handling.js";
import { Pins } from "./pins.js";
import { Receiving } from "./receiving.js";
import { Rotating } from "./rotating.js";
import { Secretariat } from "./secretariat.js";
import { Session } from "./session.js";

/** Acts with a member's key; what the server does not permit is refused there, whatever is called here. */
export class MemberClient extends Session {
  readonly handler: Handling;
  readonly reader: Receiving;
  readonly admin: Administering;
  readonly secretariat: Secretariat;
  readonly rotation: Rotating;

  /**
   * Uses `connection`.
   *
   * @param connection - To the installation.
   * @param keys - The member's keys.
   * @param pins - What this device remembers of reporters; for as long as the page lives when absent.
   */
  constructor(connection: Connection, keys: SecretKeys, pins: Pins = new Pins()) {
    super(connection, keys);
    this.handler = new Handling(this, pins);
    this.reader = new Receiving(this);
    this.admin = new Administering(this);
    this.secretariat = new Secretariat(this);
    this.rotation = new Rotating(this);
  }
}
