// What a handler reads of a case: all that is no talk, and of the talk the end, as far back as somebody asked.

import { all, type MemberClient, type Text } from "meldbrug";
import { Kind } from "meldbrug/gen/common/v1/common_pb";
import type { SectionHeader } from "meldbrug/gen/disclosure/v1/disclosure_pb";

/** As many messages are opened at a time: each opening is recorded, and shown to the reporter. */
const AT_A_TIME = 30;

/** The texts of one case, each opened once for as long as the case is in view. */
export class Reading {
  shown = $state.raw<readonly Text[]>([]);
  /** How many messages before these were not opened. */
  earlier = $state(0);
  #back = AT_A_TIME;
  readonly #opened = new Map<string, Text>();
  readonly #handler: MemberClient["handler"];
  readonly #incident: string;

  /** Opens nothing yet. */
  constructor(handler: MemberClient["handler"], incident: string) {
    this.#handler = handler;
    this.#incident = incident;
  }

  /**
   * Looks what there is, and opens what is new of it.
   *
   * @throws NotPermitted - the case is not the caller's, any more.
   * @throws Unverified - a text is not what it says.
   */
  async look(): Promise<void> {
    const headers = await all(this.#handler.headers(this.#incident));
    const talk = headers.filter(({ kind }) => kind === Kind.MESSAGE);
    const before = new Set(talk.slice(0, Math.max(0, talk.length - this.#back)));
    const wanted = headers.filter((header) => !before.has(header));
    await this.#open(wanted.filter((header) => !this.#opened.has(keyOf(header))));
    this.shown = wanted.flatMap((header) => this.#opened.get(keyOf(header)) ?? []);
    this.earlier = before.size;
  }

  /** Opens some of the messages before those that are shown. */
  async further(): Promise<void> {
    this.#back += AT_A_TIME;
    await this.look();
  }

  async #open(headers: readonly SectionHeader[]): Promise<void> {
    if (headers.length === 0) return;
    const texts = await this.#handler.read(
      this.#incident,
      headers.map(({ name }) => name),
    );
    headers.forEach((header, at) => {
      const text = texts[at];
      if (text) this.#opened.set(keyOf(header), text);
    });
  }
}

function keyOf({ name, version }: SectionHeader): string {
  return `${name}/${version}`;
}
