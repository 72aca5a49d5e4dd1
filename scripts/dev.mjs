// `npm run dev`: builds whenever a source changes and restarts the server with each build.
import { spawn } from "node:child_process";

const builder = spawn(process.execPath, ["scripts/build.mjs", "--watch"], { stdio: "inherit" });
const server = spawn(process.execPath, ["--watch", "dist/main.js", "serve", "--example"], { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM"])
  process.once(signal, () => [builder, server].forEach((child) => child.kill(signal)));
