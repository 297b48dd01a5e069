import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from '../repo.ts';
import { startProcess } from './process.ts';
import { findProgram, type GitServer, isExecutable, type Settings, serverEnvironment } from './server.ts';

const program = findProgram('lighttpd');
const backend = join(execFileSync('git', ['--exec-path'], { encoding: 'utf8' }).trim(), 'git-http-backend');

/** What to install where there is no web server; null where there is one. */
export const httpMissing: string | null = missing();

function missing(): string | null {
  if (program === null) return 'no web server is installed; apt-get install lighttpd';
  return isExecutable(backend) ? null : 'git http-backend is not installed; it comes with git';
}

export interface HttpOptions {
  /** Who may clone: everybody, or only who knows the password. Pushing always needs it. */
  clone?: 'open' | 'closed';
}

/** How a client shows who it is: by the header that CI systems set, in the URL, or asked for by a helper. */
export type Way = 'header' | 'userinfo' | 'helper';

/** What a client needs to get in: its URL, and settings for its environment (`settingsEnvironment`) or its clone. */
export interface Access {
  url: string;
  settings: Settings;
}

export interface HttpServer extends GitServer {
  port: number;
  user: string;
  password: string;
  /** @param at the URL if it is not the server's own: that of a proxy in front of it. */
  access(repository: string, way: Way, at?: string): Access;
  signal(name: NodeJS.Signals): void;
}

/** Serves a folder of bare repositories by `git http-backend` behind lighttpd with basic authentication. */
export async function startHttp(folder: string, { clone = 'open' }: HttpOptions = {}): Promise<HttpServer> {
  const user = 'worker';
  const password = 'open:sesame';
  const place = temporaryDirectory('gitstate-lighttpd-');
  mkdirSync(join(place, 'uploads'));
  const digest = createHash('sha1').update(password).digest('base64');
  writeFileSync(join(place, 'users'), `${user}:{SHA}${digest}\n`);
  const { port, signal, stop } = await startProcess((port) => {
    const configuration = join(place, `lighttpd-${port}.conf`);
    writeFileSync(configuration, serverSettings(place, folder, port, clone));
    return [program!, '-D', '-f', configuration];
  });
  const url = (name: string) => `http://127.0.0.1:${port}/${name}`;
  return {
    url,
    port,
    env: {},
    user,
    password,
    access: (name, way, at = url(name)) => accessBy(way, at, user, password),
    signal,
    stop,
  };
}

function accessBy(way: Way, url: string, user: string, password: string): Access {
  switch (way) {
    case 'header': {
      const credentials = Buffer.from(`${user}:${password}`).toString('base64');
      const header = `AUTHORIZATION: basic ${credentials}`;
      return { url, settings: [[`http.${new URL(url).origin}/.extraheader`, header]] };
    }
    case 'userinfo': {
      const known = new URL(url);
      known.username = user;
      known.password = encodeURIComponent(password);
      return { url: known.href, settings: [] };
    }
    case 'helper': {
      const helper = `!f() { test "$1" = get && echo username=${user} && echo password=${password}; }; f`;
      return { url, settings: [['credential.helper', helper]] };
    }
  }
}

/** Git asks for `info/refs?service=git-receive-pack` before it pushes: that is where it must be told to log in. */
function serverSettings(place: string, folder: string, port: number, clone: 'open' | 'closed'): string {
  const realm = '"method" => "basic", "realm" => "git", "require" => "valid-user"';
  const login = `auth.require = ( "/" => ( ${realm} ) )`;
  const pushesOnly = `$HTTP["querystring"] =~ "service=git-receive-pack" { ${login} }
$HTTP["url"] =~ "/git-receive-pack$" { ${login} }`;
  const variables = { ...serverEnvironment, GIT_PROJECT_ROOT: folder, GIT_HTTP_EXPORT_ALL: '1' };
  const environment = Object.entries(variables).map(([name, value]) => `"${name}" => "${value}"`);
  return `server.bind = "127.0.0.1"
server.port = ${port}
server.document-root = "${folder}"
server.modules = ( "mod_auth", "mod_authn_file", "mod_alias", "mod_setenv", "mod_cgi" )
server.upload-dirs = ( "${join(place, 'uploads')}" )
server.max-keep-alive-idle = 30
auth.backend = "htpasswd"
auth.backend.htpasswd.userfile = "${join(place, 'users')}"
alias.url = ( "/" => "${backend}/" )
cgi.assign = ( "" => "" )
setenv.set-environment = ( ${environment.join(', ')} )
${clone === 'closed' ? login : pushesOnly}
`;
}
