/** What verification has to say of one commit, or of the store as a whole. */
export interface Problem {
  commit: string | null;
  kind: ProblemKind;
  /** Whether it makes the result not ok. */
  fails: boolean;
  /** What is wrong, for people. */
  message: string;
  /** First line of the commit's message. */
  subject: string | null;
  /** Files that it is about. */
  paths?: string[];
  /** The object that is missing or damaged. */
  object?: string;
  /** The `state.repair` commit with which the store went on from before it. */
  repaired_by?: string;
}

export type ProblemKind =
  /** Made by hand: tolerated where its tree is a valid state. */
  | 'foreign'
  /** Made by hand, and puts back what operations had changed. */
  | 'takes_back'
  | 'merge'
  | 'parent'
  /** The message is not what gitstate writes. */
  | 'message'
  /** Something in the commit is not what it was when gitstate wrote it. */
  | 'digest'
  /** The operation was not possible then, or stands there twice. */
  | 'operation'
  /** The tree is not what the operation makes of the one before. */
  | 'tree'
  /** The tree is no valid state. */
  | 'state'
  /** An object is missing or damaged. */
  | 'object'
  /** A tag or a ref of a checkpoint is not what its file says. */
  | 'checkpoint'
  | 'signature'
  /** It could not be checked here. */
  | 'unchecked';
