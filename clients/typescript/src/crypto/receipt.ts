/** The receipt: twelve words from which a reporter's keys follow, and nothing else does. */

import { type RandomBytes, randomBytes, utf8 } from "./bytes.js";
import { ChecksumMismatch, ReceiptError, UnknownWord, WordCount } from "./errors.js";
import { SecretKeys } from "./keys.js";
import { hkdf, sha256 } from "./platform.js";

/** A language that a receipt can be in; the bits are the same in each. */
export type ReceiptLanguage = "nl" | "en";

export const LANGUAGES: readonly ReceiptLanguage[] = ["nl", "en"];
export const ENTROPY_BYTES = 16;
export const WORDS = 12;
const WORD_BITS = 11n;
const CHECKSUM_BITS = 4;
const MAX_TEXT_CHARS = 1_000;
/** Of a word that is not in the list so many letters are looked at; the words have at most 8. */
const MAX_WORD_CHARS = 32;
const MAX_COMPLETIONS = 8;
/** White space as every client splits at it, and commas. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these four control characters are white space to Python
const BETWEEN = /[\s\x1c-\x1f\x85,]+/u;
const SIGNING_LABEL = "meldbrug/receipt/signing/v1";
const SEALING_LABEL = "meldbrug/receipt/sealing/v1";

/** The words of a language in alphabetical order, and the place of each. */
interface WordList {
  readonly words: readonly string[];
  readonly places: ReadonlyMap<string, number>;
}

const loaded = new Map<ReceiptLanguage, Promise<WordList>>();

/** Returns the 128 random bits of a new receipt. */
export function newEntropy(random: RandomBytes = randomBytes): Uint8Array {
  return random(ENTROPY_BYTES);
}

/** Returns the 2,048 words of a language, in alphabetical order; loaded when they are first asked for. */
export async function wordsOf(language: ReceiptLanguage): Promise<readonly string[]> {
  return (await listOf(language)).words;
}

/**
 * Returns the twelve words that stand for 16 bytes.
 *
 * @throws ReceiptError - `entropy` is not 16 bytes.
 */
export async function toWords(entropy: Uint8Array, language: ReceiptLanguage): Promise<string[]> {
  requireEntropy(entropy);
  const { words } = await listOf(language);
  let bits = entropy.reduce((number, byte) => (number << 8n) | BigInt(byte), 0n);
  bits = (bits << BigInt(CHECKSUM_BITS)) | BigInt(await checksum(entropy));
  const places = Array.from({ length: WORDS }, (_, at) =>
    Number((bits >> (BigInt(WORDS - 1 - at) * WORD_BITS)) & 0x7ffn),
  );
  return places.map((place) => words[place] ?? "");
}

/**
 * Returns the 16 bytes that twelve words stand for; capitals, spaces, line ends and commas do not matter.
 *
 * @throws WordCount - not twelve words.
 * @throws UnknownWord - a word is not in the list of the language that most of the words are of.
 * @throws ChecksumMismatch - every word is in the list, but one of them is not right.
 */
export async function fromWords(text: string): Promise<Uint8Array> {
  const words = split(text);
  if (words.length !== WORDS) {
    throw new WordCount(words.length);
  }
  const list = await languageOf(words);
  let bits = 0n;
  for (const [at, word] of words.entries()) {
    const place = list.places.get(word);
    if (place === undefined) {
      throw new UnknownWord(word, at + 1, nearest(word, list.words));
    }
    bits = (bits << WORD_BITS) | BigInt(place);
  }
  const entropy = bytesOf(bits >> BigInt(CHECKSUM_BITS));
  if (Number(bits & 0xfn) !== (await checksum(entropy))) {
    throw new ChecksumMismatch();
  }
  return entropy;
}

/** Returns the words of a language that begin with `start`, in alphabetical order, at most eight. */
export async function completions(start: string, language: ReceiptLanguage): Promise<string[]> {
  const typed = start.trim().toLowerCase();
  const { words } = await listOf(language);
  return typed === "" ? [] : words.filter((word) => word.startsWith(typed)).slice(0, MAX_COMPLETIONS);
}

/**
 * Returns the reporter's keys; always the same for the same receipt.
 *
 * @throws ReceiptError - `entropy` is not 16 bytes.
 */
export async function keysFrom(entropy: Uint8Array): Promise<SecretKeys> {
  requireEntropy(entropy);
  const none = new Uint8Array(0);
  return SecretKeys.of(
    await hkdf(entropy, none, utf8(SIGNING_LABEL)),
    await hkdf(entropy, none, utf8(SEALING_LABEL)),
  );
}

function listOf(language: ReceiptLanguage): Promise<WordList> {
  const known =
    loaded.get(language) ??
    load(language).catch((error: unknown) => {
      loaded.delete(language);
      throw error;
    });
  loaded.set(language, known);
  return known;
}

async function load(language: ReceiptLanguage): Promise<WordList> {
  const { WORDS: words } =
    language === "nl" ? await import("../gen/words/nl.js") : await import("../gen/words/en.js");
  return { words, places: new Map(words.map((word, place) => [word, place])) };
}

/** Returns the list that more of the words are in; the Dutch one when equal. */
async function languageOf(words: readonly string[]): Promise<WordList> {
  const [dutch, english] = await Promise.all([listOf("nl"), listOf("en")]);
  const known = (list: WordList) => words.filter((word) => list.places.has(word)).length;
  return known(english) > known(dutch) ? english : dutch;
}

function split(text: string): string[] {
  if (text.length > 2 * MAX_TEXT_CHARS || [...text].length > MAX_TEXT_CHARS) {
    throw new ReceiptError("too-long");
  }
  return text
    .toLowerCase()
    .split(BETWEEN)
    .filter((word) => word !== "");
}

function requireEntropy(entropy: Uint8Array): void {
  if (entropy.length !== ENTROPY_BYTES) {
    throw new ReceiptError("entropy-length");
  }
}

async function checksum(entropy: Uint8Array): Promise<number> {
  return ((await sha256(entropy))[0] ?? 0) >> (8 - CHECKSUM_BITS);
}

function bytesOf(number: bigint): Uint8Array {
  return Uint8Array.from({ length: ENTROPY_BYTES }, (_, at) =>
    Number((number >> BigInt(8 * (ENTROPY_BYTES - 1 - at))) & 0xffn),
  );
}

function nearest(word: string, candidates: readonly string[]): string {
  const letters = [...word].slice(0, MAX_WORD_CHARS);
  let best = { candidate: "", away: Number.POSITIVE_INFINITY };
  for (const candidate of candidates) {
    const away = distance(letters, [...candidate]);
    if (away < best.away) {
      best = { candidate, away };
    }
  }
  return best.candidate;
}

/** Returns how many letters to add, drop or change to come from one word to the other. */
function distance(first: readonly string[], second: readonly string[]): number {
  let row = second.map((_, at) => at + 1);
  for (const [i, letter] of first.entries()) {
    let left = i + 1;
    let before = i;
    row = row.map((above, j) => {
      const changed = before + (letter === second[j] ? 0 : 1);
      before = above;
      left = Math.min(above + 1, left + 1, changed);
      return left;
    });
  }
  return row.at(-1) ?? first.length;
}
