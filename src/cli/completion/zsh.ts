import { featureIds, globalsWithValue, type Vocabulary } from './vocabulary.ts';

export function zshScript({ first, groups, options, globals, featureCommands }: Vocabulary): string {
  const described = (pairs: readonly [string, string][]) =>
    pairs.map(([name, summary]) => `'${name}:${summary.replaceAll("'", '’')}'`).join(' ');
  const members = [...groups].map(([group, pairs]) => `    ${group}) words_=(${described(pairs)}) ;;`);
  const cases = [...options].map(([name, own]) => `    '${name}') options_=(${own.join(' ')}) ;;`);
  return `#compdef git-state
# Completion of git-state for zsh. Git's own completion calls it for \`git state\`, too.
_git-state() {
  local name= word index=2
  local -a words_ options_ ids_
  while ((index < CURRENT)); do
    word=$words[index]
    case $word in
      ${globalsWithValue}) ((index += 1)) ;;
      --) return ;;
      -*) ;;
      *)
        case $name in
          '') name=$word ;;
          ${[...groups.keys()].join('|')}) name="$name $word" ;;
        esac
        ;;
    esac
    ((index += 1))
  done
  case $name in
    '') words_=(${described(first)}) ;;
${members.join('\n')}
${cases.join('\n')}
  esac
  if [[ $PREFIX == -* ]]; then
    compadd -- $options_ ${globals.join(' ')}
    return
  fi
  case $name in
    ${featureCommands.map((one) => `'${one}'`).join('|')}) ids_=(\${(f)"$(${featureIds})"}); compadd -- $ids_ ;;
  esac
  if (($#words_)); then _describe command words_; else _files; fi
}
(( $+functions[compdef] )) && compdef _git-state git-state
[[ $funcstack[1] == _git-state ]] && _git-state "$@"
`;
}
