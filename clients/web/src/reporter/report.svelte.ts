// A report while it is being made: what was chosen and written so far, on this device only.

import {
  type Circle,
  keysFrom,
  NotPermitted,
  newEntropy,
  type Person,
  PublicClient,
  ReporterClient,
  toWords,
} from "meldbrug";
import { Category, Kind } from "meldbrug/gen/common/v1/common_pb";
import { connected } from "../app/installation";
import { numberOf } from "../app/languages";
import { AlreadyIn } from "../app/problems";
import type { Language as Shown } from "../app/route.svelte";
import {
  type Choice,
  choicesOf,
  type Excludable,
  excludableOrganisations,
  excludablePeople,
} from "./choices";
import { forget, type Kept, keep, sealed } from "./draft";

export const STEPS = ["where", "who", "keep", "write", "check"] as const;
export type Step = (typeof STEPS)[number] | "sent";

/** Everything that can be ticked, in the order of the rules. */
export const CATEGORIES = [
  Category.DISCRIMINATION,
  Category.SEXUAL_VIOLENCE_AND_PHYSICAL_ABUSE,
  Category.SEXUAL_HARASSMENT_AND_INTIMIDATION,
  Category.AGGRESSION_AND_VIOLENCE,
  Category.BULLYING,
] as const;

export class Report {
  step = $state<Step>("where");
  code = $state("");
  choices = $state.raw<readonly Choice[]>([]);
  people = $state.raw<readonly Excludable[]>([]);
  organisations = $state.raw<readonly Excludable[]>([]);
  title = $state("");
  /** Participation and first key of the choice; empty while nothing is chosen. */
  chosen = $state("");
  excluded = $state<string[]>([]);
  excludedOrganisations = $state<string[]>([]);
  categories = $state<number[]>([]);
  context = $state("");
  account = $state("");
  receipt = $state.raw<readonly string[]>([]);
  /** Whether this device keeps nothing: a dropped tab takes along what is written. */
  isUnkept = $state(false);
  entropy: Uint8Array = new Uint8Array(0);
  #circle: Circle | undefined;
  /** What was sent so far, by its incident: an answer that did not come tells nothing of what arrived. */
  readonly #tried = new Map<string, string>();

  /** Who would handle it. */
  get choice(): Choice | undefined {
    return this.choices.find((choice) => keyOf(choice) === this.chosen);
  }

  /** Who would read it: those of the choice who are not excluded. */
  get readers(): readonly Person[] {
    return this.choice?.people.filter((person) => !this.isOut(person)) ?? [];
  }

  isOut(person: Person): boolean {
    return (
      this.excluded.includes(person.member.subject) ||
      this.excludedOrganisations.includes(person.member.organisation)
    );
  }

  /**
   * Finds who takes part, with the code of a production or at the standing entry.
   *
   * @throws NotPermitted - the code is unknown or was replaced.
   * @throws Unverified - somebody does not verify; nobody is offered.
   */
  async find(code: string): Promise<void> {
    const directory = new PublicClient(await connected());
    const circle = code ? await directory.circle(code) : await directory.standingEntry();
    this.choices = await choicesOf(circle);
    this.people = await excludablePeople(circle);
    this.organisations = await excludableOrganisations(circle);
    this.title = circle.served.production?.title ?? "";
    this.code = code;
    this.#circle = circle;
    if (!this.choice)
      this.chosen = this.choices.length === 1 && this.choices[0] ? keyOf(this.choices[0]) : "";
  }

  /** Makes the receipt, once. */
  async makeReceipt(language: Shown): Promise<void> {
    if (this.entropy.length === 0) this.entropy = newEntropy();
    this.receipt = await toWords(this.entropy, language);
  }

  /** Keeps what is written so far on this device, sealed under the receipt. */
  async keep(): Promise<void> {
    if (this.entropy.length === 0 || this.step === "sent") return;
    const draft = await sealed(this.#kept(), this.entropy);
    // It may have been sent, or left, meanwhile.
    if (this.entropy.length === 0 || this.isSent) return;
    try {
      keep(draft);
      this.isUnkept = false;
    } catch {
      this.isUnkept = true;
    }
  }

  get isSent(): boolean {
    return this.step === "sent";
  }

  /** Forgets everything that is in memory; nothing that is under way brings it back. */
  forget(): void {
    this.entropy = new Uint8Array(0);
    this.receipt = [];
    this.context = "";
    this.account = "";
  }

  /** Goes on with a draft that was kept under a receipt; from the beginning, with its text, where its code is no more. */
  async resume(draft: Kept, entropy: Uint8Array, language: Shown): Promise<void> {
    const isFound = await this.#finds(draft.code);
    this.entropy = entropy;
    await this.makeReceipt(language);
    this.chosen = this.choices.map(keyOf).find((key) => key === draft.intake[0]) ?? "";
    this.excluded = [...draft.excludedSubjects];
    this.excludedOrganisations = [...draft.excludedOrganisations];
    this.categories = [...draft.categories];
    this.context = draft.context;
    this.account = draft.account;
    this.step = !isFound ? "where" : this.choice ? "write" : "who";
  }

  async #finds(code: string): Promise<boolean> {
    try {
      await this.find(code);
      return true;
    } catch (error) {
      if (error instanceof NotPermitted) return false;
      throw error;
    }
  }

  /**
   * Seals and sends it; the draft on the device is forgotten once it is in.
   *
   * @throws MeldbrugError - it is not in, or nobody knows; the receipt tells later.
   * @throws AlreadyIn - something is in, and it may be another text than this one.
   */
  async send(language: Shown): Promise<void> {
    const client = new ReporterClient(await connected(), await keysFrom(this.entropy));
    const incident = `incidents/${client.connection.newId()}`;
    const written = JSON.stringify(this.#kept());
    this.#tried.set(incident, written);
    try {
      await this.#report(client, incident, language);
    } catch (error) {
      if (!(error instanceof NotPermitted)) throw error;
      // One receipt is for one report: it is refused too where an earlier one arrived and its answer did not.
      const { name } = await client.find();
      if (this.#tried.get(name) !== written) throw new AlreadyIn();
    }
    this.step = "sent";
    await forget(this.entropy);
    this.context = "";
    this.account = "";
  }

  async #report(client: ReporterClient, incident: string, language: Shown): Promise<void> {
    const told = [
      [Kind.CONTEXT, this.context.trim()],
      [Kind.ACCOUNT, this.account.trim()],
    ] as const;
    await client.report({
      incident,
      texts: new Map(told.filter(([, text]) => text !== "")),
      intake: this.readers,
      production: this.#circle?.production ?? "",
      categories: this.categories,
      language: numberOf(language),
      excludedSubjects: this.excluded,
      excludedOrganisations: this.excludedOrganisations,
    });
  }

  #kept(): Kept {
    return {
      code: this.code,
      intake: [this.chosen],
      excludedSubjects: this.excluded,
      excludedOrganisations: this.excludedOrganisations,
      categories: this.categories,
      context: this.context,
      account: this.account,
    };
  }
}

/** Returns what a choice is known by. */
export function keyOf(choice: Choice): string {
  return `${choice.participation} ${choice.people[0]?.kid ?? ""}`;
}
