// The link with which telling begins: on posters, call sheets and in QR codes. All of it is behind the #.

import { configured } from "./configuration";
import { href, type Language } from "./route.svelte";

const CODE = "c";
const INSTALLATION = "i";

/** A link was made for another installation than the one that this app was served for. */
export class OtherInstallation extends Error {}

/** Returns the link with which telling begins for a production, in a language. */
export async function startLink(code: string, language: Language): Promise<string> {
  const { installation } = await configured();
  const query = new URLSearchParams({ [CODE]: code, [INSTALLATION]: installation });
  return `${appAddress()}${href("start", language, query)}`;
}

/** Returns the address of the app, to be typed. */
export function appAddress(): string {
  return new URL(".", document.baseURI).href;
}

/** Returns the code that a link brought along; empty when it brought none. */
export function codeIn(query: URLSearchParams): string {
  return query.get(CODE) ?? "";
}

/**
 * Holds the installation that a link names against this app's own. A link that names none is as good as a typed code.
 *
 * @throws OtherInstallation - they differ: neither the code nor anything else may be sent.
 */
export async function requireOwn(query: URLSearchParams): Promise<void> {
  const named = query.getAll(INSTALLATION);
  if (named.length === 0) return;
  const { installation } = await configured();
  if (named.some((each) => each !== installation)) throw new OtherInstallation();
}
