// What the served files are compared with: `manifest.json` beside the app, the list of their hashes.

const LIST = "manifest.json";
const WITHIN_MS = 15_000;

/** What a comparison found. */
export interface Compared {
  readonly files: number;
  readonly different: readonly string[];
  /** SHA-256 of the list itself, as it was served. */
  readonly digest: string;
}

/** Fetches the list and every file on it, and compares; rejects when the list is none. */
export async function compared(get: (name: string) => Promise<ArrayBuffer> = served): Promise<Compared> {
  const list = await get(LIST);
  const { files } = JSON.parse(new TextDecoder().decode(list)) as { files: Record<string, string> };
  const names = Object.keys(files).sort();
  if (names.length === 0) throw new Error("an empty list compares nothing");
  const found = await Promise.all(
    names.map(async (name) => ((await hashed(get, name)) === files[name] ? [] : [name])),
  );
  return { files: names.length, different: found.flat(), digest: await sha256(list) };
}

async function hashed(get: (name: string) => Promise<ArrayBuffer>, name: string): Promise<string> {
  try {
    return await sha256(await get(name));
  } catch {
    return "";
  }
}

async function served(name: string): Promise<ArrayBuffer> {
  const answer = await fetch(new URL(name, document.baseURI), {
    cache: "no-store",
    signal: AbortSignal.timeout(WITHIN_MS),
  });
  if (!answer.ok) throw new Error(`${name} is not served`);
  return answer.arrayBuffer();
}

async function sha256(bytes: ArrayBuffer): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
