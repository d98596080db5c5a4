#!/bin/sh
# How an exec agent of the Go peer behaves: the first word of the prompt says.
read -r word rest
case $word in
echo | task) printf '%s' "$rest" ;;
slow)
	sleep 2.5
	printf '%s' "$rest"
	;;
empty | emptytask) ;;
phantom) printf '(no response generated)' ;;
fail)
	echo "$rest" >&2
	exit 3
	;;
throw) kill -ABRT $$ ;;
hang) exec sleep 600 ;;
*) printf 'unknown behaviour %s' "$word" ;;
esac
