// A reporter who came back with the twelve words: what is theirs, in memory only.

import {
  all,
  Consents,
  keysFrom,
  NotPermitted,
  type Preview,
  ReporterClient,
  type Seen,
  type Text,
} from "meldbrug";
import { type IncidentState, Kind } from "meldbrug/gen/common/v1/common_pb";
import type { Status } from "meldbrug/gen/coordination/v1/coordination_pb";
import type { ConsentRequest } from "meldbrug/gen/disclosure/v1/disclosure_pb";
import { connected } from "../app/installation";
import { numberOf } from "../app/languages";
import { dateOf } from "../app/moments";
import { route } from "../app/route.svelte";

/** A request with what it is shown by. */
export interface Asked {
  readonly request: ConsentRequest;
  readonly organisation: string;
}

/** What a yes was said to, as the reporter signed it. */
export interface Given {
  readonly sections: ReadonlySet<string>;
  readonly readers: ReadonlySet<string>;
  readonly until: Date;
}

export class Own {
  readonly client: ReporterClient;
  readonly consents: Consents;
  status = $state.raw<Status | undefined>();
  texts = $state.raw<readonly Text[]>([]);
  asked = $state.raw<readonly Asked[]>([]);
  seen = $state.raw<readonly Seen[]>([]);

  private constructor(client: ReporterClient) {
    this.client = client;
    this.consents = new Consents(client);
  }

  /**
   * Opens what is under a receipt; nothing when there is nothing.
   *
   * @throws MeldbrugError - nobody answered, or something does not verify.
   */
  static async at(entropy: Uint8Array): Promise<Own | undefined> {
    const own = new Own(new ReporterClient(await connected(), await keysFrom(entropy)));
    try {
      await own.look();
    } catch (error) {
      if (error instanceof NotPermitted) return undefined;
      throw error;
    }
    return own;
  }

  get state(): IncidentState {
    return this.status?.state ?? 0;
  }

  get messages(): readonly Text[] {
    return this.texts.filter((text) => text.kind === Kind.MESSAGE);
  }

  get told(): readonly Text[] {
    return this.texts.filter((text) => text.kind !== Kind.MESSAGE && text.author.isReporter);
  }

  /** Reads everything anew. */
  async look(): Promise<void> {
    const names = await all(this.client.headers());
    this.texts = names.length > 0 ? await this.client.read(names.map((header) => header.name)) : [];
    this.status = await this.client.status();
    const circle = await this.client.circle();
    const titles = await circle.titles();
    const requests = await all(this.consents.requests());
    this.asked = requests.map((request) => ({
      request,
      organisation: titles.get(circle.organisation(request.recipient).name) ?? "",
    }));
    this.seen = await all(this.client.openings());
  }

  /** Shows a request exactly as its readers would see it. */
  preview(notice: string): Promise<Preview> {
    return this.consents.preview(notice, numberOf(route.language));
  }

  /** Returns what the newest yes to a request was said to; nothing when there was none. */
  async given(notice: string): Promise<Given | undefined> {
    for await (const act of this.consents.history()) {
      if (act.notice !== notice || act.kind !== "consent") continue;
      const { sections, readerKids, validUntil } = act.statement;
      if (!validUntil) return undefined;
      return {
        sections: new Set(sections.map(({ section }) => section)),
        readers: new Set(readerKids),
        until: dateOf(validUntil),
      };
    }
    return undefined;
  }
}
