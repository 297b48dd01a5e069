/** One thing that was repaired. */
export interface Action {
  /** The check that had found it. */
  name: string;
  detail: string;
}
