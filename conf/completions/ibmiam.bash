# Completions of the ibmiam command for bash.

# Names are quoted, and folders end in "/".  Outside of a completion there is nothing to set.
_ibmiam_files() {
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

_ibmiam() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= value= i words
	local ask='--timeout --socket --help' own='--config --broker --help'

	# The "=" between an option and its value is a word of its own.
	if [[ $cur = = ]]; then
		cur= value=1
	elif [[ $prev = = ]]; then
		prev=${COMP_WORDS[COMP_CWORD-2]} value=1
	fi

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--socket) [[ ${COMP_WORDS[++i]} != = ]] || ((i++)) ;;
		-*) ;;
		*) command=${COMP_WORDS[i]}; break ;;
		esac
	done
	if [[ $command = exec ]]; then
		# What follows is a command line of its own.
		for ((i++; i < COMP_CWORD; i++)); do
			case ${COMP_WORDS[i]} in
			--socket | --timeout) [[ ${COMP_WORDS[++i]} != = ]] || ((i++)) ;;
			--) ((i++)); break ;;
			-*) ;;
			*) break ;;
			esac
		done
		if [[ ${COMP_WORDS[i-1]} = -- || $cur != -* ]] && ((i <= COMP_CWORD)) &&
			[[ $prev != --socket && $prev != --timeout ]]; then
			if declare -F _command_offset >/dev/null; then
				_command_offset "$i"
			elif ((i == COMP_CWORD)); then
				mapfile -t COMPREPLY < <(compgen -c -- "$cur")
			else
				_ibmiam_files "$cur"
			fi
			return
		fi
	fi
	case $prev in
	--socket | --config | --broker) _ibmiam_files "$cur"; return ;;
	--user) mapfile -t COMPREPLY < <(compgen -u -- "$cur"); return ;;
	--pam | --service)
		_ibmiam_files "$cur"
		[[ $cur = */* ]] || mapfile -t COMPREPLY < <(cd /etc/pam.d && compgen -f -- "$cur")
		return ;;
	--timeout | --rhost) return ;;
	esac
	[[ ! $value ]] || return
	case $command in
	'') words='token exec env status login logout check config help --socket --help --version' ;;
	token) words="--bearer --json $ask" ;;
	status) words="--json $ask" ;;
	exec | env | login | logout) words=$ask ;;
	check) words="--user --service --rhost --pam --timeout --json $own" ;;
	config) words=$own ;;
	help) words='token exec env status login logout check config help --list --help' ;;
	*) return ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _ibmiam ibmiam
