import { en } from "../words/en";
import { nl, type Words } from "../words/nl";
import { type Language, route } from "./route.svelte";

const BY_LANGUAGE: Readonly<Record<Language, Words>> = { nl, en };

/** Returns the words of the reader's language; read where they are shown, so that they change with it. */
export function words(): Words {
  return BY_LANGUAGE[route.language];
}
