// An inbox that follows its stream of changes: rows take their new state, and a silence is said.

import type { MemberClient } from "meldbrug";
import type { NoticeState } from "meldbrug/gen/common/v1/common_pb";
import type { Stub } from "meldbrug/gen/coordination/v1/coordination_pb";
import { untrack } from "svelte";
import { Rows } from "./lists.svelte";

/** The notices of a reader that are in some states, or all of them, kept up with. */
export class Following {
  readonly rows: Rows<Stub>;
  /** Since when changes do not come by themselves; undefined while they do. */
  silentSince = $state.raw<Date | undefined>();
  /** Why they will not come any more. */
  failed = $state.raw<unknown>();
  #resumeToken = "";
  readonly #client: MemberClient;

  /** Fetches nothing yet. */
  constructor(client: MemberClient, states: readonly NoticeState[]) {
    this.#client = client;
    this.rows = new Rows({
      page: async (pageToken) => {
        const { notices, nextPageToken, resumeToken } = await client.reader.inboxPage(pageToken, states);
        this.#resumeToken = resumeToken;
        return { items: notices, nextPageToken };
      },
      wanted: ({ state }) => states.length === 0 || states.includes(state),
    });
  }

  /** Begins to follow; returns how to end it. */
  begin(): () => void {
    const ending = new AbortController();
    void untrack(() => this.#follow(ending.signal));
    return () => ending.abort();
  }

  async #follow(signal: AbortSignal): Promise<void> {
    try {
      await this.rows.begin();
      const heard = (isHeard: boolean): void => this.#hears(isHeard, signal);
      for await (const stub of this.#client.reader.watch(this.#resumeToken, { signal, heard })) {
        this.rows.take(stub);
      }
    } catch (error) {
      this.#hears(false, signal);
      if (!signal.aborted) this.failed = error;
    }
  }

  #hears(isHeard: boolean, { aborted }: AbortSignal): void {
    if (aborted) return;
    if (isHeard) this.silentSince = undefined;
    else this.silentSince ??= this.#client.connection.clock.now();
  }
}
