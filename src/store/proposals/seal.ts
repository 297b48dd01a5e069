import * as z from 'zod';
import type { Oid } from '../../core/ids.ts';
import { contentsBySession } from '../../core/select.ts';
import { requireStore } from '../../core/state.ts';
import { proposal } from '../proposal.ts';
import { writersAt } from './written.ts';

/** The epoch ends, and the next begins. One that holds nothing but its own beginning goes on. */
export const storeSeal = proposal(
  'seal',
  z.strictObject({}),
  (_, view) => {
    requireStore(view.state);
    const { tip } = view;
    const { epoch, commits, sealed, tree } = view.epoch();
    if (tip === null || (sealed && commits === 1)) return { unchanged: true, session: null };
    const written = contentsBySession(view.state).map(({ session, contents }) =>
      writersAt(
        view,
        tip,
        session.id,
        [...contents.checkpoints.entries()].map(([key]) => key),
      ),
    );
    return {
      type: 'store.seal',
      session: null,
      args: { epoch, tip: tip as Oid, tree: tree as Oid, commits, written: Object.assign({}, ...written) },
    };
  },
  { alone: true },
);
