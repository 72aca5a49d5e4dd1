// Set-up before `npm start` and `npm test`, with what Node brings alone: dependencies when the lock changed, a build when the source changed,
// and, with --services, the servers that tests start.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = new URL("..", import.meta.url).pathname;
process.chdir(root);

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Touchstone needs Node 20.19 or newer; this is ${process.version}.`);
  process.exit(1);
}

installWhenLockChanged();
buildWhenSourceChanged();
if (process.argv.includes("--services")) installServices();

function installWhenLockChanged() {
  const wanted = digest(["package-lock.json"]);
  const stamp = "node_modules/.touchstone-lock";
  if (read(stamp) === wanted) return;
  say("installing dependencies (about a minute the first time)");
  // No dependency needs its install script.
  run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
  writeFileSync(stamp, wanted);
}

function buildWhenSourceChanged() {
  const wanted = digest([...filesBelow("src"), "package-lock.json", "scripts/build.mjs"]);
  const stamp = "dist/.touchstone-source";
  if (read(stamp) === wanted) return;
  say("building");
  rmSync("dist", { recursive: true, force: true });
  run(process.execPath, ["scripts/build.mjs"]);
  mkdirSync("dist", { recursive: true });
  writeFileSync(stamp, wanted);
}

/** Debian's names. Where they cannot be had, the suites that need them are listed as skipped. */
function installServices() {
  const needed = [
    { command: "redis-server", package: "redis-server" },
    { command: "prometheus", package: "prometheus" },
    { command: "victoria-metrics", package: "victoria-metrics" },
    { command: "faketime", package: "faketime" },
    { command: "postgres", package: "postgresql", folder: "/usr/lib/postgresql" },
  ];
  const missing = needed.filter(
    ({ command, folder }) => !onPath(command) && !(folder !== undefined && existsSync(folder)),
  );
  if (missing.length === 0) return;
  const names = missing.map((one) => one.package);
  if (process.getuid?.() !== 0 || !onPath("apt-get")) {
    say(`tests that need ${names.join(", ")} will be skipped: install them, or run as root on Debian`);
    return;
  }
  say(`installing ${names.join(", ")} for the tests`);
  // Run level 1 keeps the packages from starting servers of their own.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  const install = () =>
    spawnSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...names], {
      env,
      stdio: ["ignore", "ignore", "inherit"],
    });
  if (install().status === 0) return;
  spawnSync("apt-get", ["update", "-qq"], { env, stdio: ["ignore", "ignore", "inherit"] });
  if (install().status !== 0)
    say(`${names.join(", ")} could not be installed; the tests that need them will be skipped`);
}

function onPath(command) {
  return (process.env.PATH ?? "").split(":").some((folder) => folder !== "" && existsSync(join(folder, command)));
}

function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => (entry.isDirectory() ? filesBelow(join(folder, entry.name)) : [join(folder, entry.name)]))
    .sort();
}

function digest(paths) {
  const hash = createHash("sha256");
  for (const path of paths) hash.update(`${path}\0`).update(readFileSync(path)).update("\0");
  return hash.digest("hex");
}

function read(path) {
  return existsSync(path) ? readFileSync(path, "utf8") : null;
}

function run(command, args) {
  try {
    execFileSync(command, args, { stdio: ["ignore", "inherit", "inherit"] });
  } catch {
    console.error(`touchstone: ${command} ${args.join(" ")} failed`);
    process.exit(1);
  }
}

function say(text) {
  console.error(`touchstone: ${text}`);
}
