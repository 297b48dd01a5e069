import type { WorkEvent, WorkSummary } from '../runner/work.ts';
import type { Output } from './output.ts';
import { padEnd, truncate, visible } from './text.ts';
import { bar, type Status } from './views/status.ts';
import { lengthOfTime } from './views/time.ts';
import { lineOf, summaryLines, type WorkView } from './work-lines.ts';

interface Row {
  doing: string;
  sinceMs: number | null;
}

const redrawMs = 1000;
const barWidth = 24;

/** Lines about the past above, one line per worker and a bar of the whole below, drawn in place. */
export class LiveView implements WorkView {
  readonly #output: Output;
  readonly #status: () => Promise<Status>;
  readonly #rows = new Map<string, Row>();
  readonly #startedMs = Date.now();
  #timer: NodeJS.Timeout | null = null;
  /** What stands below the lines now. */
  #frame = '';
  #total = 0;
  #done = 0;
  #failed = 0;
  #counting: Promise<unknown> | null = null;

  constructor(output: Output, status: () => Promise<Status>) {
    this.#output = output;
    this.#status = status;
  }

  async begin(): Promise<void> {
    await this.#count();
    this.#timer = setInterval(() => this.#draw(), redrawMs);
  }

  /** Others may work on the same session, so the bar follows the state and not our own events alone. */
  async #count(): Promise<void> {
    const { progress } = await this.#status();
    this.#total = progress.total;
    this.#done = progress.completed + progress.archived;
    this.#failed = progress.failed;
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
    const line = ['claimed', 'waiting', 'step_done'].includes(event.event) ? null : lineOf(event);
    if (line !== null) {
      this.#erase();
      this.#output.line(truncate(line, this.#output.columns));
    }
    this.#draw();
  }

  #follow({ event, worker, feature, step, will_retry }: WorkEvent): void {
    if (event === 'completed') this.#done += 1;
    if (event === 'failed' && !will_retry) this.#failed += 1;
    if (event === 'completed' || event === 'failed') this.#refresh();
    if (worker === undefined || event === 'renewed') return;
    const doing = event === 'claimed' || event === 'started' || event === 'step_done';
    if (doing) this.#put(worker, `${feature}${step ? ` ${step}` : ''}`);
    else if (event === 'waiting') this.#rows.set(worker, { doing: 'waits for others', sinceMs: null });
    else if (['completed', 'failed', 'released', 'lost', 'skipped'].includes(event))
      this.#rows.delete(worker);
  }

  #put(worker: string, doing: string): void {
    const before = this.#rows.get(worker);
    const same = before?.sinceMs != null && before.doing.split(' ')[0] === doing.split(' ')[0];
    this.#rows.set(worker, { doing, sinceMs: same ? before.sinceMs : Date.now() });
  }

  #draw(): void {
    const { colors, columns } = this.#output;
    const width = Math.max(0, ...[...this.#rows.keys()].map((name) => name.length));
    const lines = [...this.#rows].map(([worker, { doing, sinceMs }]) => {
      const time = sinceMs === null ? '' : `  ${lengthOfTime(Date.now() - sinceMs)}`;
      return truncate(`${padEnd(worker, width)}  ${visible(doing)}${time}`, columns - 1);
    });
    const failed = this.#failed > 0 ? `, ${this.#failed} failed` : '';
    const numbers = `${this.#done}/${this.#total} done${failed}, ${lengthOfTime(Date.now() - this.#startedMs)}`;
    const room = Math.min(barWidth, columns - numbers.length - 2);
    lines.push(
      room > 3 ? `${bar(this.#done, this.#total, room, colors)} ${numbers}` : truncate(numbers, columns - 1),
    );
    const frame = `${lines.join('\n')}\n`;
    if (frame === this.#frame) return;
    this.#erase();
    this.#output.write(frame);
    this.#frame = frame;
  }

  #erase(): void {
    if (this.#frame === '') return;
    this.#output.write(`\u001b[${this.#frame.split('\n').length - 1}A\u001b[J`);
    this.#frame = '';
  }

  end(summary: WorkSummary): void {
    this.dispose();
    for (const line of summaryLines(summary)) this.#output.line(line);
  }

  dispose(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
    this.#erase();
  }
}
