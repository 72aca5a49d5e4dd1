// Bundles the program into dist/: main.js, look-thread.js and look-process.js for looks, and judge-thread.js for POST /judge. PGlite stays outside, since it loads files beside itself.
// Then packs an empty record, which first starts begin from. `node scripts/build.mjs FILE` packs nothing and bundles that file too, for a bench that
// starts processes of its own.
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { build, context } from "esbuild";

const options = {
  entryPoints: ["src/main.ts", "src/look-thread.ts", "src/look-process.ts", "src/judge-thread.ts"],
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  outdir: "dist",
  sourcemap: "linked",
  external: ["@electric-sql/pglite", "pg-native"],
  banner: {
    js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
  },
  logLevel: "warning",
};

const [asked] = process.argv.slice(2);
if (asked !== undefined && asked !== "--watch") {
  await build(options);
  await build({ ...options, entryPoints: [asked], sourcemap: false });
} else if (asked === "--watch") await (await context(options)).watch();
else {
  await build(options);
  await build({ ...options, entryPoints: ["src/pack-record.ts"], sourcemap: false });
  execFileSync(process.execPath, ["dist/pack-record.js"], { stdio: ["ignore", "ignore", "inherit"] });
  rmSync("dist/pack-record.js");
}
