import { hostname } from 'node:os';
import type { GitConfig } from './config.ts';
import type { Variables } from './environment.ts';

export interface Identity {
  name: string;
  email: string;
}

/** Takes out what would break the line of a commit header, and at both ends what Git itself takes away. */
function sanitised(text: string | undefined): string {
  return (text ?? '')
    .replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029<>]/g, '')
    .replace(/\p{Surrogate}/gu, '')
    .replace(/^[\s.,:;"'\\]+|[\s.,:;"'\\]+$/g, '');
}

function firstUsable(...candidates: (string | undefined)[]): string | undefined {
  return candidates.map(sanitised).find((candidate) => candidate !== '');
}

/** Who commits, in Git's own order: environment, `committer.*`, `user.*`. Where nobody is named a fallback stands in,
 *  since no operation may fail for want of a name. Never empty, safe to write into a commit. */
export function committerIdentity(config: GitConfig, variables: Variables): Identity {
  return {
    name:
      firstUsable(variables.GIT_COMMITTER_NAME, config.get('committer.name'), config.get('user.name')) ??
      firstUsable(variables.GIT_AUTHOR_NAME, config.get('author.name')) ??
      'gitstate',
    email:
      firstUsable(
        variables.GIT_COMMITTER_EMAIL,
        config.get('committer.email'),
        config.get('user.email'),
        variables.EMAIL,
        variables.GIT_AUTHOR_EMAIL,
        config.get('author.email'),
      ) ?? `gitstate@${firstUsable(hostname()) ?? 'localhost'}`,
  };
}

/** Who is named as the author, in Git's own order; the committer where nobody is. */
export function authorIdentity(config: GitConfig, variables: Variables): Identity {
  const committer = committerIdentity(config, variables);
  return {
    name:
      firstUsable(variables.GIT_AUTHOR_NAME, config.get('author.name'), config.get('user.name')) ??
      committer.name,
    email:
      firstUsable(variables.GIT_AUTHOR_EMAIL, config.get('author.email'), config.get('user.email')) ??
      committer.email,
  };
}
