import type { Progress } from '../core/select.ts';
import type { Output } from './output.ts';
import { lineOf, summaryLines, type WorkView } from './work-lines.ts';
import { LiveView } from './work-live.ts';

/** The view for the output: events as JSON, lines, or lines with a moving part below them. */
export function workView(output: Output, progress: () => Promise<Progress>): WorkView {
  if (output.format === 'json') return jsonView(output);
  return output.live && !output.quiet ? new LiveView(output, progress) : lineView(output);
}

function jsonView(output: Output): WorkView {
  return {
    begin: async () => {},
    show: (event) => output.object(event),
    end: () => {},
    dispose: () => {},
  };
}

function lineView(output: Output): WorkView {
  return {
    begin: async () => {},
    show(event) {
      const line = lineOf(event);
      if (line !== null && !output.quiet) output.line(line);
    },
    end(summary) {
      if (!output.quiet) for (const line of summaryLines(summary)) output.line(line);
    },
    dispose: () => {},
  };
}
