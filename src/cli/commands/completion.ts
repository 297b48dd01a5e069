import { command, usage } from '../command.ts';
import { completionScript } from '../completion/script.ts';

const shells = ['bash', 'zsh', 'fish'] as const;

export const completion = command({
  operands: 'SHELL',
  description:
    'Prints what makes a shell complete commands, options and ids of features, for `git state` and for `git-state`. ' +
    'SHELL is bash, zsh or fish.',
  examples: [
    'git state completion bash > ~/.local/share/bash-completion/completions/git-state',
    'git state completion zsh > ~/.zfunc/_git-state   # a folder in $fpath',
    'git state completion fish > ~/.config/fish/completions/git-state.fish',
  ],
  writes: false,
  at: false,
  async run({ operands, name, output }) {
    const given = operands.require('SHELL');
    const shell = shells.find((one) => one === given);
    if (shell === undefined) throw usage(`no completion for '${given}': there is ${shells.join(', ')}`, name);
    const script = await completionScript(shell);
    if (output.format === 'json') output.object({ shell, script });
    else output.write(script);
    return 0;
  },
});
