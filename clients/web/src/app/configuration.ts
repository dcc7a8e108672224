// What this installation's app is told when it is served.

const WITHIN_MS = 15_000;

/** What the app is configured with. */
export interface Configuration {
  /** The fingerprint of the secretariat's root. */
  readonly installation: string;
  /** Where somebody goes who leaves quickly. */
  readonly leaveTo: string;
}

let known: Configuration = { installation: "", leaveTo: "https://www.wikipedia.org/" };
let asking: Promise<Configuration> | undefined;

/** Returns where somebody goes who leaves quickly: at once, whether the configuration is known yet or not. */
export function leaveTo(): string {
  return known.leaveTo;
}

/** Returns the configuration; asks again the next time when it could not be read. */
export function configured(): Promise<Configuration> {
  asking ??= ask().catch((error: unknown) => {
    asking = undefined;
    throw error;
  });
  return asking;
}

async function ask(): Promise<Configuration> {
  const address = new URL("config.json", document.baseURI);
  const answer = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(WITHIN_MS) });
  if (!answer.ok) throw new Error("the configuration is not served");
  known = (await answer.json()) as Configuration;
  return known;
}
