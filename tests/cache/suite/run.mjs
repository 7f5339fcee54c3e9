// Runs the cases of http-cache-tests (https://cache-tests.fyi) against a server.
//   node run.mjs PACKAGE URL
// PACKAGE is the folder of the npm package. Prints each required case that fails and is
// not in `expected`, and the numbers; exits with 1 if there is one, or if an expected
// one passes.

import { pathToFileURL } from 'url'
import path from 'path'

const [folder, url] = process.argv.slice(2)
const load = name => import(pathToFileURL(path.resolve(folder, name)).href)

// Required cases that fail, and why.
const outdated = 'RFC 9111 5.1: the first value of Age counts; one that is not a number is ignored'
const cut = 'the case takes the 500 of a failed application for a stored response'
const expected = {
  'age-parse-nonnumeric': outdated,
  'age-parse-negative': outdated,
  'age-parse-float': outdated,
  'age-parse-prefix-twoline': outdated,
  'age-parse-dup-0': outdated,
  'age-parse-dup-0-twoline': outdated,
  'age-parse-dup-old': outdated,
  'age-parse-parameter': outdated,
  'age-parse-numeric-parameter': outdated,
  'stale-close-must-revalidate': cut,
  'stale-close-proxy-revalidate': cut,
  'stale-close-no-cache': cut,
  'stale-close-s-maxage=2': cut,
  'headers-store-Set-Cookie': 'a response with Set-Cookie is not stored',
  '304-etag-update-response-Set-Cookie': 'a response with Set-Cookie is not stored'
}

const { runTests, getResults } = await load('client/runner.mjs')
const { default: fetch } = await load('node_modules/node-fetch/lib/index.mjs')
const { default: suites } = await load('tests/index.mjs')

console.warn = () => {}
const log = console.log
console.log = () => {}
await runTests(suites, fetch, false, url)
console.log = log

const results = getResults()
const numbers = {}
let failed = 0
for (const suite of suites) {
  for (const test of suite.tests) {
    if (test.browser_only) continue
    const kind = test.kind || 'required'
    const passes = results[test.id] === true
    const key = `${kind} ${passes ? 'passed' : 'not passed'}`
    numbers[key] = (numbers[key] || 0) + 1
    if (kind === 'required' && passes === test.id in expected) {
      log(`${test.id}: ${passes ? 'passes, and is expected to fail' : results[test.id]}`)
      failed++
    }
  }
}
log(JSON.stringify(numbers))
log(`cache-tests: ${failed} unexpected`)
process.exit(failed > 0 ? 1 : 0)
