const { readFileSync } = require('node:fs');

/** The most memory that this process had at a time, in KiB. What `getrusage` says of a child is at least what its parent
 *  had when it was forked, so where there is one, the process's own account is read. */
exports.peakKib = () => {
  try {
    return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
  } catch {
    return process.resourceUsage().maxRSS;
  }
};
