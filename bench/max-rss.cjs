const { writeSync } = require('node:fs');
const { peakKib } = require('./memory.cjs');

// Loaded into a process with `node -r`, says at its end how much memory it had at most, in KiB.
process.on('exit', () => writeSync(2, `max-rss ${peakKib()}\n`));
