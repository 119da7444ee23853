# Completions of the ibmiam command for bash.

_ibmiam() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= i words
	local ask='--timeout --socket --help' own='--config --broker --help'

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--socket) ((i++)) ;;
		-* | =) ;;
		*) command=${COMP_WORDS[i]}; break ;;
		esac
	done
	if [[ $command = exec ]]; then
		# What follows is a command line of its own.
		for ((i++; i < COMP_CWORD; i++)); do
			case ${COMP_WORDS[i]} in
			--socket | --timeout) ((i++)) ;;
			--) ((i++)); break ;;
			-* | =) ;;
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
				mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			fi
			return
		fi
	fi
	case $prev in
	--socket | --config | --broker) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	--user) mapfile -t COMPREPLY < <(compgen -u -- "$cur"); return ;;
	--pam | --service) mapfile -t COMPREPLY < <(cd /etc/pam.d && compgen -f -- "$cur"); return ;;
	--timeout | --rhost) return ;;
	esac
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
