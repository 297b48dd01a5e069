// Prints how many tests passed, failed and were skipped by vitest's JSON report, and names the skipped ones on stderr.
// A suite that could not even be loaded is a failure.
import { readFileSync } from 'node:fs';

try {
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
  const broken = testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  );
  const skipped = testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status !== 'passed' && status !== 'failed');
  for (const { fullName } of skipped) console.error(`skipped: ${fullName}`);
  console.log(numPassedTests, numFailedTests + broken.length, skipped.length);
} catch {
  console.log(0, 1, 0);
}
