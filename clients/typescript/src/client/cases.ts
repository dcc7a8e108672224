/** Where a handler's incidents and their notices stand: states and clocks, no content. */

import { IncidentState } from "../gen/common/v1/common_pb.js";
import type { Incident, SentNotice } from "../gen/coordination/v1/coordination_pb.js";
import { HandlerService as Coordination } from "../gen/coordination/v1/coordination_service_pb.js";
import { every, type Listed } from "./paging.js";
import { part } from "./served.js";
import { onLatest, type Session } from "./session.js";

/** The incidents of one handler. */
export class Cases {
  readonly #session: Session;

  /** Acts with the member's key. */
  constructor(session: Session) {
    this.#session = session;
  }

  /** Lists the incidents that the caller handles, newest first; of one state or production when named. */
  cases(state = IncidentState.UNSPECIFIED, production = ""): Listed<Incident> {
    return every(
      (pageToken) => this.#session.call(Coordination.method.listIncidents, { pageToken, state, production }),
      (page) => page.incidents,
    );
  }

  /** Returns where an incident stands. */
  async case(incident: string): Promise<Incident> {
    return part(
      (await this.#session.call(Coordination.method.getIncident, { incident })).incident,
      "incident",
    );
  }

  /**
   * Confirms to the reporter, personally, that the report arrived.
   *
   * @throws Stale - the incident changed since `etag` was read; without one the newest is used.
   */
  acknowledge(incident: string, etag?: string): Promise<Incident> {
    return this.#onLatest(incident, etag, (request) =>
      this.#session.call(Coordination.method.acknowledgeIncident, request),
    );
  }

  /**
   * Records where the assessment stands.
   *
   * @throws Stale - as `acknowledge`.
   */
  assess(incident: string, outcome: IncidentState, etag?: string): Promise<Incident> {
    return this.#onLatest(incident, etag, (request) =>
      this.#session.call(Coordination.method.assessIncident, { ...request, outcome }),
    );
  }

  /** Lists the incident's notices, newest first: where they stand, never which readers were reached. */
  notices(incident: string): Listed<SentNotice> {
    return every(
      (pageToken) => this.#session.call(Coordination.method.listNotices, { incident, pageToken }),
      (page) => page.notices,
    );
  }

  #onLatest(
    incident: string,
    etag: string | undefined,
    act: (request: {
      incident: string;
      etag: string;
      requestId: string;
    }) => Promise<{ incident?: Incident | undefined }>,
  ): Promise<Incident> {
    return onLatest(
      etag,
      async () => (await this.case(incident)).etag,
      async (read) => {
        const requestId = this.#session.connection.newRequestId();
        return part((await act({ incident, etag: read, requestId })).incident, "incident");
      },
    );
  }
}
