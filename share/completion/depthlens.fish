# Completion of depthlens for fish: commands, and the options that their help shows.
function __depthlens_options
    set -l words (commandline -opc)
    test (count $words) -ge 2; or return
    $words[1] help $words[2] 2>/dev/null | string match -ra -- '--[a-z][a-z0-9.-]+' | sort -u
end
complete -c depthlens -n __fish_is_first_token -f -a "(depthlens help 2>/dev/null | string match -rg '^  ([a-z]+)')"
complete -c depthlens -n 'not __fish_is_first_token; and string match -q -- "-*" (commandline -ct)' -f -a '(__depthlens_options)'
