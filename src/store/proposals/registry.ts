import type { Proposal } from '../proposal.ts';
import * as checkpoint from './checkpoint.ts';
import * as claim from './claim.ts';
import * as documents from './documents.ts';
import * as facts from './facts.ts';
import * as feature from './feature.ts';
import * as recovery from './recovery.ts';
import * as renewal from './renewal.ts';
import * as resume from './resume.ts';
import * as session from './session.ts';
import * as step from './step.ts';
import * as store from './store.ts';
import * as undo from './undo.ts';

const modules: readonly object[] = [
  checkpoint,
  claim,
  documents,
  facts,
  feature,
  recovery,
  renewal,
  resume,
  session,
  step,
  store,
  undo,
];

function isProposal(value: unknown): value is Proposal<unknown> {
  return typeof value === 'object' && value !== null && 'decide' in value;
}

/** Proposals by the names under which their requests travel between processes. Of two that share a name one is left out:
 *  each process decides that by itself. */
export const proposals: ReadonlyMap<string, Proposal<unknown>> = new Map(
  modules.flatMap((module) => Object.values(module).filter(isProposal)).map((one) => [one.name, one]),
);
