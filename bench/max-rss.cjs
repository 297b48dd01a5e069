// Loaded into a process with `node -r`, says at its end how much memory it had at most, in KiB.
process.on('exit', () => require('node:fs').writeSync(2, `max-rss ${process.resourceUsage().maxRSS}\n`));
