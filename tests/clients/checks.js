// What the clients' scripts share: named checks, each printed as it passes, and a bounded wait.
"use strict";

const CHECK_MS_MAX = 60_000;

let passed = 0;

/** Run one check; its name is printed when it has passed. */
async function check(name, body) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end within ${CHECK_MS_MAX} ms`)), CHECK_MS_MAX);
  });
  try {
    const found = await Promise.race([body(), late]);
    passed += 1;
    console.log(`passed ${name}`);
    return found;
  } catch (error) {
    console.log(`failed ${name}`);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Play `body` and leave with 0, or 1 and the error. Open websockets do not keep the process. */
function main(versions, body) {
  body().then(
    () => {
      console.log(`${passed} checks passed with ${versions.join(", ")}`);
      process.exit(0);
    },
    (error) => {
      console.error(error);
      process.exit(1);
    },
  );
}

/** A package's name and version, from beside its main file. */
function version(name) {
  const fs = require("fs");
  const path = require("path");
  let folder = path.dirname(require.resolve(name));
  while (folder !== path.dirname(folder)) {
    const file = path.join(folder, "package.json");
    if (fs.existsSync(file)) {
      const found = JSON.parse(fs.readFileSync(file));
      if (found.name === name) return `${name} ${found.version}`;
    }
    folder = path.dirname(folder);
  }
  throw new Error(`${name}: no package.json`);
}

module.exports = { check, main, version };
