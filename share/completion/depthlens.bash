# Completion of depthlens for bash: commands, and the options that their help shows. zsh takes it after
# `autoload bashcompinit && bashcompinit`.
_depthlens() {
  local program=${COMP_WORDS[0]} cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} all
  if [ "$COMP_CWORD" -eq 1 ]; then
    all=$("$program" help 2>/dev/null | awk '/^  [a-z]/ { print $1 }')
  elif { [ "$command" = run ] || [ "$command" = shard ]; } && [ "${cur#-}" = "$cur" ] && [ "${COMP_WORDS[COMP_CWORD - 1]#-}" = "${COMP_WORDS[COMP_CWORD - 1]}" ]; then
    all=$("$program" plugins 2>/dev/null | awk '$1 == "ok" && sub(/^experiment\./, "", $2) { n = split($2, part, "."); print part[n] }')
  elif [ "${cur#-}" != "$cur" ]; then
    all=$("$program" help "$command" 2>/dev/null | grep -oE -- '--[a-z][a-z0-9.-]+' | sort -u)
  fi
  COMPREPLY=($(compgen -W "$all" -- "$cur"))
  [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$cur"))
}
complete -o filenames -F _depthlens depthlens
