import { bashScript } from './bash.ts';
import { fishScript } from './fish.ts';
import { readVocabulary } from './vocabulary.ts';
import { zshScript } from './zsh.ts';

/** The completion script of a shell. */
export async function completionScript(shell: 'bash' | 'zsh' | 'fish'): Promise<string> {
  const words = await readVocabulary();
  if (shell === 'bash') return bashScript(words);
  return shell === 'zsh' ? zshScript(words) : fishScript(words);
}
