# offer.zsh DIRECTORY FILE LINE: lets an interactive zsh, which finds completion scripts
# in DIRECTORY, complete LINE, and writes what it offers into FILE, one word a line.
zmodload zsh/zpty || exit 1
zpty shell zsh -f -i
zpty -w shell "PS1=; fpath=(${(q)1} \$fpath); autoload -Uz compinit; compinit -u -D; file=${(q)2}"
# Functions of the completion system hand words to compadd; with -O, -A and -D they only ask it.
zpty -w shell 'compadd() {
	local -a words
	if [[ " ${(j: :)@[1,(i)(-|--)]} " != *" -"[OAD]" "* ]]; then
		builtin compadd -O words "$@"
		(( $#words )) && print -rl -- $words >> $file
	fi
	builtin compadd "$@"
}
comppostfuncs=(finish); finish() { : > $file.done }
bindkey "^I" complete-word'
zpty -w -n shell "$3"$'\t'
repeat 1000; do
	[[ -e $2.done ]] && break
	zpty -r -t shell said # or it would wait for room
	sleep 0.01
done
zpty -d shell
[[ -e $2.done ]]
