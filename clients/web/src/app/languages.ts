import { Language } from "meldbrug/gen/common/v1/common_pb";
import type { Language as Shown } from "./route.svelte";

/** Returns the contract's number of a language. */
export function numberOf(shown: Shown): Language {
  return shown === "nl" ? Language.NL : Language.EN;
}
