// The words of the language that is shown. Each language is fetched by itself: hardly anybody reads both.

import type { Words } from "../words/nl";
import { type Language, route } from "./route.svelte";

const FETCHED: Readonly<Record<Language, () => Promise<Words>>> = {
  nl: async () => (await import("../words/nl")).nl,
  en: async () => (await import("../words/en")).en,
};

let shown = $state.raw<Words | undefined>();

/** Returns the words that are shown now. */
export function spoken(): Words {
  if (!shown) throw new Error("no words are here yet");
  return shown;
}

/** Shows a language once its words are here; until then, and without them, what is shown stays. */
export async function speak(language: Language): Promise<void> {
  const words = await FETCHED[language]();
  // Somebody may have gone on to the other one meanwhile.
  if (language !== route.language) return;
  shown = words;
  document.documentElement.lang = language;
}
