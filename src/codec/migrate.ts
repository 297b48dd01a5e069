import { schemaVersion } from '../core/entities.ts';
import type { JsonValue } from '../core/json.ts';
import { GitStateError } from '../errors.ts';
import type { PlacedEntity } from './paths.ts';

/** How a store that an older gitstate wrote is read by a newer one. What stands on the branch stays as it is until
 *  the first write, which brings every file to the newest schema in one commit of its own. */

/** One step from a schema to the next. Both functions are pure and give a new value. They agree with each other: what an
 *  operation makes of documents that were brought up is what it had made, brought up. `verify` holds them to it. */
export interface Migration {
  /** The schema it leads to; it takes what the one before has. */
  readonly to: number;
  /** The document of a file. Of `gitstate.json` all but the field `schema`, which says what is stored. */
  document(place: PlacedEntity, document: JsonValue): JsonValue;
  /** The arguments of an operation. */
  args(type: string, args: JsonValue): JsonValue;
}

/** The schema that is written, and the steps that lead to it from older ones, in their order. */
export interface Schema {
  readonly version: number;
  readonly migrations: readonly Migration[];
}

/** The first schema has nothing before it: a second one adds its step here. */
export const currentSchema: Schema = { version: schemaVersion, migrations: [] };

/** Takes a document from the schema in which it is stored to the one that is written. */
export function migrateDocument(
  schema: Schema,
  stored: number,
  place: PlacedEntity,
  document: JsonValue,
): JsonValue {
  return stepsFrom(schema, stored).reduce((value, step) => step.document(place, value), document);
}

/** Takes the arguments of an operation from the schema of its commit to the one that is written. */
export function migrateArgs(schema: Schema, stored: number, type: string, args: JsonValue): JsonValue {
  return stepsFrom(schema, stored).reduce((value, step) => step.args(type, value), args);
}

function stepsFrom({ migrations }: Schema, stored: number): readonly Migration[] {
  return migrations.filter(({ to }) => to > stored);
}

/** What a newer gitstate wrote is not guessed at, neither to read nor to write. */
export function schemaTooNew(what: string, schema: number, { version }: Schema): GitStateError {
  return new GitStateError('SCHEMA_TOO_NEW', `${what} has schema ${schema}, this gitstate knows ${version}`, {
    hint: 'install a newer gitstate: npm install -g gitstate',
    details: { schema, supported: version },
  });
}
