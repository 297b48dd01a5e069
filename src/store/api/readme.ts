import { type NewObject, newObject, type ObjectFormat } from '../../git/objects.ts';

/** What stands at the root of the branch for whoever meets it on a Git host. */
const text = `# State of parallel work

This branch is the state store of [gitstate](https://www.npmjs.com/package/gitstate). It shares no history with the
code. Each commit is one operation - a claim, a finished step, a note - and its message says what was done, by whom
and when. \`git log\` on this branch is the audit trail.

- \`gitstate.json\` names the store.
- \`sessions/<session>/session.json\` is one run of work; its features, workers, checkpoints and costs lie beside it.

Change it with \`git state\` and not by hand: what is committed here by hand is tolerated only if it is valid, and a
branch checked out somewhere goes stale with the next operation.
`;

export function readmeObject(format: ObjectFormat): NewObject {
  return newObject(format, 'blob', text);
}
