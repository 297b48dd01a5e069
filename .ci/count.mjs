// Prints how many tests passed and failed by vitest's JSON report. A suite that could not even be loaded is a failure.
import { readFileSync } from 'node:fs';

try {
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
  const broken = testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  );
  console.log(numPassedTests, numFailedTests + broken.length);
} catch {
  console.log(0, 1);
}
