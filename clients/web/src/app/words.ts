import type { Words } from "../words/nl";
import { spoken } from "./spoken.svelte";

/** Returns the words of the reader's language; read where they are shown, so that they change with it. */
export function words(): Words {
  return spoken();
}
