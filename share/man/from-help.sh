#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A man page of each command, made of its help: depthlens-COMMAND.1 in DIR.
#   share/man/from-help.sh PROGRAM VERSION DIR
set -euo pipefail
program=$1 version=$2 folder=$3
mkdir -p -- "$folder"

# Text as it stands, whatever roff would take it for.
plain() { sed -e 's/\\/\\e/g' -e 's/-/\\-/g' -e "s/^\([.']\)/\\\\\&\1/"; }

"$program" help | sed -n 's/^  \([a-z]*\)  *\(.*\)$/\1 \2/p' | while read -r command summary; do
  [[ "$command" != help ]] || continue
  page=$folder/depthlens-$command.1
  {
    printf '.TH DEPTHLENS\\-%s 1 "" "depthlens %s" "User Commands"\n' "${command^^}" "$version"
    printf '.SH NAME\ndepthlens\\-%s \\- %s\n' "$command" "$(plain <<<"$summary")"
    printf '.SH USAGE\n.nf\n'
    "$program" help "$command" | plain
    printf '.fi\n.SH SEE ALSO\n.BR depthlens (1)\n'
  } >"$page.made"
  mv -- "$page.made" "$page"
done
