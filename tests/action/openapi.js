// Cuts GitHub's OpenAPI description down to what cutover asks for, so that Prism starts in a second or two.
const description = require(process.cwd() + "/node_modules/@octokit/openapi/generated/api.github.com.deref.json");
const wanted = /^\/repos\/\{owner\}\/\{repo\}\/(releases|deployments|git\/(ref|tags))/;
description.paths = Object.fromEntries(Object.entries(description.paths).filter(([path]) => wanted.test(path)));
delete description.components;
delete description["x-webhooks"];
require("fs").writeFileSync(process.argv[2], JSON.stringify(description));
