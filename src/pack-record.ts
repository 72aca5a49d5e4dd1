import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { packRecord, TEMPLATE_PATH } from "./wire.ts";

/** A step of the build: writes the record that first starts begin from. */
await mkdir(dirname(TEMPLATE_PATH), { recursive: true });
await writeFile(`${TEMPLATE_PATH}.unfinished`, await packRecord());
await rename(`${TEMPLATE_PATH}.unfinished`, TEMPLATE_PATH);
