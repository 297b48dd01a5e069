import { featureIds, globalsWithValue, names, type Vocabulary } from './vocabulary.ts';

export function bashScript({ first, groups, options, globals, featureCommands }: Vocabulary): string {
  const cases = [...options].map(([name, own]) => `    '${name}') options='${own.join(' ')}' ;;`);
  const members = [...groups].map(([group, pairs]) => `    ${group}) words='${names(pairs)}' ;;`);
  return `# Completion of git-state for bash. Source it, or put it where bash-completion looks for it.
__git_state_complete() {
  local index=$1 current=\${COMP_WORDS[COMP_CWORD]} name= words= options= word
  COMPREPLY=()
  while ((index < COMP_CWORD)); do
    word=\${COMP_WORDS[index]}
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
    '') words='${names(first)}' ;;
${members.join('\n')}
${cases.join('\n')}
  esac
  case $name in
    ${featureCommands.map((one) => `'${one}'`).join('|')}) [[ $current == -* ]] || words=$(${featureIds}) ;;
  esac
  if [[ $current == -* ]]; then words="$options ${globals.join(' ')}"; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
__git_state_alone() { __git_state_complete 1; }
# Git's own completion calls this for \`git state\`.
_git_state() {
  local index
  for ((index = 1; index < COMP_CWORD; index++)); do
    if [[ \${COMP_WORDS[index]} == state ]]; then break; fi
  done
  __git_state_complete $((index + 1))
}
complete -o bashdefault -o default -F __git_state_alone git-state
`;
}
