import { featureIds, globalsWithValue, type Vocabulary } from './vocabulary.ts';

export function fishScript({ first, groups, options, globals, featureCommands }: Vocabulary): string {
  const quoted = (text: string) => `'${text.replaceAll("'", '’')}'`;
  const print = (pairs: readonly [string, string][]) =>
    pairs
      .map(([name, summary]) => `            printf '%s\\t%s\\n' ${quoted(name)} ${quoted(summary)}`)
      .join('\n');
  const members = [...groups].map(([group, pairs]) => `        case ${quoted(group)}\n${print(pairs)}`);
  const cases = [...options]
    .filter(([, own]) => own.length > 0)
    .map(([name, own]) => `        case ${quoted(name)}\n            printf '%s\\n' ${own.join(' ')}`);
  return `# Completion of git-state for fish.
function __git_state_name
    set -l tokens (commandline -opc)
    if test "$tokens[1]" = git
        set -l at (contains -i -- state $tokens); or return 1
        set tokens $tokens[$at..-1]
    end
    set -l name
    set -l skip no
    for token in $tokens[2..-1]
        if test $skip = yes
            set skip no
            continue
        end
        switch $token
            case ${globalsWithValue.split('|').join(' ')}
                set skip yes
            case '-*'
            case '*'
                if test -z "$name"
                    set name $token
                else if contains -- "$name" ${[...groups.keys()].join(' ')}
                    set name "$name $token"
                end
        end
    end
    echo $name
end
function __git_state_words
    set -l name (__git_state_name); or return
    if string match -q -- '-*' (commandline -ct)
        switch "$name"
${cases.join('\n')}
        end
        printf '%s\\n' ${globals.join(' ')}
        return
    end
    switch "$name"
        case ''
${print(first)}
${members.join('\n')}
        case ${featureCommands.map(quoted).join(' ')}
            ${featureIds}
    end
end
function __git_state_used
    contains -- state (commandline -opc)
end
complete -c git-state -f -a '(__git_state_words)'
complete -c git -n __git_state_used -f -a '(__git_state_words)'
`;
}
