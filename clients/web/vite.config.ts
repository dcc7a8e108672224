import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin } from "vite";

const OUT = process.env["MELDBRUG_APP_OUT"] ?? "dist";
const LIST = "manifest.json";

/** Writes the list of hashes that the app compares itself with, and that is published beside a version. */
function manifest(): Plugin {
  return {
    name: "manifest",
    closeBundle() {
      const files: Record<string, string> = {};
      for (const path of readdirSync(OUT, { recursive: true, withFileTypes: true })) {
        const name = join(path.parentPath, path.name);
        if (path.isFile() && path.name !== LIST) {
          files[relative(OUT, name).split(sep).join("/")] = createHash("sha256")
            .update(readFileSync(name))
            .digest("hex");
        }
      }
      const sorted = Object.fromEntries(
        Object.entries(files).sort(([one], [other]) => (one < other ? -1 : 1)),
      );
      writeFileSync(join(OUT, LIST), `${JSON.stringify({ files: sorted }, null, 1)}\n`);
    },
  };
}

// The same sources give the same bytes: nothing of the machine or the moment goes into the bundle.
export default defineConfig({
  base: "./",
  plugins: [svelte(), manifest()],
  build: {
    outDir: OUT,
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
  },
});
