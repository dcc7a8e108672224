/** What this installation's app is told when it is served. */
export interface Configuration {
  /** Where somebody goes who leaves quickly. */
  leaveTo: string;
}

export const configuration: Configuration = { leaveTo: "https://nl.wikipedia.org/" };
