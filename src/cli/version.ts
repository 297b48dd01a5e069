/** The version in package.json; the build puts it in. */
declare const GITSTATE_VERSION: string;

export function packageVersion(): string {
  return GITSTATE_VERSION;
}
