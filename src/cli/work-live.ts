import { compareNatural } from '../core/ids.ts';
import type { Progress } from '../core/select.ts';
import type { WorkEvent, WorkSummary } from '../runner/work.ts';
import type { Output } from './output.ts';
import { clip, padEnd, visible } from './text.ts';
import { Estimate } from './views/estimate.ts';
import { bar, leftText } from './views/status.ts';
import { lengthOfTime } from './views/time.ts';
import { lineOf, summaryLines, type WorkView } from './work-lines.ts';

interface Row {
  feature: string | null;
  doing: string;
  sinceMs: number | null;
}

const idle: Row = { feature: null, doing: 'idle', sinceMs: null };
const redrawMs = 1000;
const barWidth = 24;

/** What the rows show by themselves. */
const routine = new Set(['claimed', 'waiting', 'step_done', 'released', 'merged']);

/** Lines about the past above, one line per worker and a bar of the whole below, drawn in place. */
export class LiveView implements WorkView {
  readonly #output: Output;
  readonly #progress: () => Promise<Progress>;
  readonly #rows = new Map<string, Row>();
  readonly #startedMs = Date.now();
  readonly #estimate = new Estimate();
  #timer: NodeJS.Timeout | null = null;
  /** What stands below the lines now. */
  #frame = '';
  #total = 0;
  #done = 0;
  #failed = 0;
  #counting: Promise<unknown> | null = null;

  constructor(output: Output, progress: () => Promise<Progress>) {
    this.#output = output;
    this.#progress = progress;
  }

  async begin(): Promise<void> {
    await this.#count();
    this.#timer = setInterval(() => this.#draw(), redrawMs);
    this.#output.aroundAside = (write) => {
      this.#erase();
      write();
      this.#draw();
    };
  }

  /** Others may work on the same session, so the bar follows the state and not our own events alone. */
  async #count(): Promise<void> {
    const { total, completed, archived, failed } = await this.#progress();
    this.#total = total;
    this.#done = completed + archived;
    this.#failed = failed;
  }

  #refresh(): void {
    if (this.#counting) return;
    this.#counting = this.#count()
      .then(() => this.#timer && this.#draw())
      // The next event counts again; what is wrong with the store the workers say themselves.
      .catch(() => {})
      .finally(() => {
        this.#counting = null;
      });
  }

  show(event: WorkEvent): void {
    this.#follow(event);
    const line = routine.has(event.event) ? null : lineOf(event);
    if (line !== null) {
      this.#erase();
      this.#output.line(line);
    }
    this.#draw();
  }

  #follow({ event, worker, feature, step, will_retry }: WorkEvent): void {
    if (event === 'completed') this.#done += 1;
    if (event === 'failed' && !will_retry) this.#failed += 1;
    if (event === 'completed' || event === 'failed') this.#refresh();
    if (worker === undefined) return;
    switch (event) {
      case 'claimed':
      case 'started':
      case 'step_done':
        this.#put(worker, feature!, step ?? '');
        break;
      case 'setup_started':
      case 'teardown_started':
        this.#put(worker, feature!, event.replace('_started', ''));
        break;
      case 'waiting':
        this.#rows.set(worker, { ...idle, doing: 'waits for others' });
        break;
      case 'completed':
      case 'failed':
      case 'released':
      case 'lost':
      case 'skipped':
        this.#rows.set(worker, idle);
    }
  }

  #put(worker: string, feature: string, doing: string): void {
    const before = this.#rows.get(worker);
    const sinceMs = before?.feature === feature ? before.sinceMs : Date.now();
    this.#rows.set(worker, { feature, doing, sinceMs });
  }

  #draw(): void {
    const { columns, rows } = this.#output;
    const lines = this.#workerLines();
    // What has scrolled off the top cannot be drawn over.
    const room = Math.max(1, rows - 3);
    if (lines.length > room) lines.splice(room - 1, lines.length, `… and ${lines.length - room + 1} more`);
    lines.push(this.#whole());
    const frame = `${lines.map((line) => clip(line, columns - 1)).join('\n')}\n`;
    if (frame === this.#frame) return;
    // One write, so that no terminal shows the gap.
    this.#output.write(`${this.#eraser()}${frame}`);
    this.#frame = frame;
  }

  #workerLines(): string[] {
    const { colors } = this.#output;
    const rows = [...this.#rows].sort(([a], [b]) => compareNatural(a, b));
    const names = Math.max(0, ...rows.map(([name]) => name.length));
    const features = Math.max(0, ...rows.map(([, { feature }]) => feature?.length ?? 0));
    const doings = Math.max(
      0,
      ...rows.map(([, { doing, feature }]) => (feature === null ? 0 : doing.length)),
    );
    return rows.map(([worker, { feature, doing, sinceMs }]) => {
      if (feature === null) return `${padEnd(worker, names)}  ${colors.dim(doing)}`;
      const step = doings === 0 ? '' : `  ${padEnd(visible(doing), doings)}`;
      const time = sinceMs === null ? '' : `  ${lengthOfTime(Date.now() - sinceMs)}`;
      return `${padEnd(worker, names)}  ${colors.bold(padEnd(visible(feature), features))}${step}${time}`;
    });
  }

  /** The bar, the counts, the time and what is left. */
  #whole(): string {
    const { colors, columns } = this.#output;
    const atMs = Date.now();
    const open = this.#total - this.#done - this.#failed;
    const left = leftText(this.#estimate.leftMs({ atMs, done: this.#done, open }));
    const failed = this.#failed > 0 ? `, ${this.#failed} failed` : '';
    const numbers = `${this.#done}/${this.#total} done${failed}, ${lengthOfTime(atMs - this.#startedMs)}${left}`;
    const room = Math.min(barWidth, columns - numbers.length - 2);
    return room > 3 ? `${bar(this.#done, this.#total, room, colors)} ${numbers}` : numbers;
  }

  #eraser(): string {
    return this.#frame === '' ? '' : `\u001b[${this.#frame.split('\n').length - 1}A\u001b[J`;
  }

  #erase(): void {
    this.#output.write(this.#eraser());
    this.#frame = '';
  }

  end(summary: WorkSummary): void {
    this.dispose();
    for (const line of summaryLines(summary)) this.#output.line(line);
  }

  dispose(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
    this.#output.aroundAside = (write) => write();
    this.#erase();
  }
}
